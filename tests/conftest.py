"""Fixtures that every test may ask for, and the last words of a run."""

from __future__ import annotations

import pytest

from tests.kafka_broker.fixtures import real_kafka
from tests.properties import load_profile

__all__ = ["real_kafka"]


def pytest_configure(config: pytest.Config) -> None:
    """The part that leaves the slow tests out looks at fewer examples, too."""
    load_profile(quick=config.getoption("markexpr") == "not slow")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which brokers the Kafka tests ran against."""
    ran = {
        "mock" if "[mock" in report.nodeid else "real"
        for report in terminalreporter.stats.get("passed", [])
        if "[mock" in report.nodeid or "[real" in report.nodeid or "kafka_real" in report.nodeid
    }
    if ran:
        mock = "ran" if "mock" in ran else "did not run"
        real = "ran" if "real" in ran else "did not run (see the reasons above)"
        terminalreporter.line(f"Kafka: the mock cluster {mock}; a real Apache Kafka {real}")

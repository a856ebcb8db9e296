"""A daemon of ``store`` and ``api`` alone loads nothing that it does not need."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = frozenset(
    {
        "aiokafka", "boto3", "botocore", "certifi", "confluent_kafka", "cryptography", "h11",
        "httpcore", "httpx", "jmespath", "jsonata", "moto", "pygments", "regex", "rich",
        "standardwebhooks", "urllib3",
    }
)  # fmt: skip
SELDOM = frozenset(
    {"gateway.api.state_tests", "gateway.asl.jsonata.expression", "gateway.testing.inspection"}
)
"""Of ours: what TestState and queries in JSONata take."""
# The process says at its end which modules it has loaded.
SCRIPT = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps([name for name, module in sys.modules.items() if module])))
from gateway.__main__ import main
main()
"""


@pytest.mark.slow
def test_an_idle_daemon_has_no_vendor_in_memory(tmp_path: Path):
    """At the moment it is ready, nothing is loaded that only adapters, other commands, tests or
    some definitions use: each would cost every daemon its memory and its time to start."""
    config = tmp_path / "idle.yaml"
    config.write_text('store: { path: idle.db }\napi: { listen: "127.0.0.1:0" }\n')
    command = [sys.executable, "-c", SCRIPT, "run", str(config)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as daemon:
        for line in daemon.stderr:
            if '"ready"' in line:
                break
        daemon.send_signal(signal.SIGTERM)
        output, rest = daemon.communicate(timeout=30)
    assert daemon.returncode == 0, rest
    loaded = set(json.loads(output))
    assert {"gateway.asl.jsonpath.path", "trio", "sqlite3"} <= loaded
    assert {name.partition(".")[0] for name in loaded} & HEAVY == set()
    assert loaded & SELDOM == set()

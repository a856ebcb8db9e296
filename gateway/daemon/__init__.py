"""The daemon: nested nurseries, what is built from a configuration, signals, reload, systemd."""

from __future__ import annotations

from gateway.config.load import Config


def run_daemon(config: Config) -> int:
    """Run until it is told to stop; returns the exit code. For ``stategate run``."""
    from gateway.daemon.main import main

    return main(config)

"""The process around the daemon: its log, its last words and its exit code."""

from __future__ import annotations

import faulthandler
import os
import sys

import structlog
import trio

from gateway.config.load import Config
from gateway.daemon.daemon import Daemon
from gateway.daemon.fatal import EXIT_FAILURE, fatal_lines
from gateway.daemon.logs import configure_logs
from gateway.daemon.notify import notifier


def main(config: Config) -> int:
    """Run the daemon on this configuration; 0 after a signal, 1 after anything else."""
    configure_logs(sys.stderr)
    # systemd's watchdog ends a stuck daemon with SIGABRT: its tracebacks say where it was stuck.
    faulthandler.enable()
    log = structlog.get_logger("daemon")
    notify = notifier(os.environ, log)
    for warning in config.warnings:
        log.warning("configuration", problem=str(warning))
    try:
        trio.run(Daemon(config, notify, log).run)
    except BaseException as error:
        notify.status(_last_words(error, log))
        return EXIT_FAILURE
    return 0


def _last_words(error: BaseException, log: structlog.stdlib.BoundLogger) -> str:
    """Logs why it ends, with the trace if that is a bug; returns it in one line."""
    lines = fatal_lines(error)
    if lines is None:
        log.error("stopped by a bug", exc_info=error)
        return f"stopped by a bug: {error!r}"
    for line in lines:
        log.error("cannot go on", reason=line)
    return "; ".join(lines)

"""The process around the daemon: its log, its last words and its exit code."""

from __future__ import annotations

import faulthandler
import gc
import os
import sys
from pathlib import Path
from typing import Final

import structlog
import trio

from gateway.config.load import Config
from gateway.daemon.daemon import Daemon
from gateway.daemon.fatal import EXIT_FAILURE, fatal_lines
from gateway.daemon.logs import configure_logs
from gateway.daemon.notify import notifier

SWITCH_SECONDS: Final = 0.0005
"""How long a thread keeps Python's lock while another waits for it. With Python's own 5 ms the
store's writer would wait for whoever computes ten times as long as for the disk."""
GC_THRESHOLDS: Final = (10_000, 20, 20)
"""What the collector looks for are cycles, and there are few: hot executions are many objects, and
none of them is in one."""


def main(config: Config) -> int:
    """Run the daemon on this configuration; 0 after a signal, 1 after anything else."""
    configure_logs(sys.stderr)
    sys.setswitchinterval(SWITCH_SECONDS)
    # What is loaded by now stays to the end.
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    # systemd's watchdog ends a stuck daemon with SIGABRT: its tracebacks say where it was stuck.
    faulthandler.enable()
    log = structlog.get_logger("daemon")
    notify = notifier(os.environ, log)
    for warning in config.warnings:
        log.warning("configuration", problem=str(warning))
    try:
        trio.run(Daemon(config, notify, log).run)
    except BaseException as error:
        notify.status(_last_words(error, config.settings.store.path, log))
        return EXIT_FAILURE
    return 0


def _last_words(error: BaseException, database: Path, log: structlog.stdlib.BoundLogger) -> str:
    """Logs why it ends, with the trace if that is a bug; returns it in one line."""
    lines = fatal_lines(error, database)
    if lines is None:
        log.error("stopped by a bug", exc_info=error)
        return f"stopped by a bug: {error!r}"
    for line in lines:
        log.error("cannot go on", reason=line)
    return "; ".join(lines)

"""One worker process, from its start to its end: its output, its signals, its group.

When it may start again is the business of ``group.py``.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
import trio

from gateway.workers.output import each_line
from gateway.workers.warden import Warden

_LAST_WORDS_SECONDS = 1.0
"""A child of the worker may hold its output open; what the worker itself said has come by then."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to start."""

    argv: Sequence[str]
    env: dict[str, str]
    cwd: Path | None
    stop_grace_seconds: float


@asynccontextmanager
async def run_process(
    command: Command, warden: Warden, hurry: trio.Event, log: structlog.stdlib.BoundLogger
) -> AsyncIterator[trio.Process]:
    """The process, in a group of its own; leaving the block stops it.

    Leave it early (or be cancelled) and it gets SIGTERM, then SIGKILL when its grace is over or
    ``hurry`` is set. What is left of its group when it has ended is killed. Raises OSError where it
    cannot be started.
    """
    process: trio.Process = await trio.lowlevel.open_process(
        command.argv,
        env=command.env,
        cwd=command.cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    warden.follow(process.pid, command.stop_grace_seconds)
    assert process.stdout is not None
    async with process.stdout, trio.open_nursery() as nursery:
        reading, said = trio.CancelScope(shield=True), trio.Event()
        nursery.start_soon(_pass_on, process.stdout, reading, said, log)
        try:
            yield process
        finally:
            with trio.CancelScope(shield=True):
                await _stop(process, command.stop_grace_seconds, hurry)
                warden.forget(process.pid)
                with trio.move_on_after(_LAST_WORDS_SECONDS):
                    await said.wait()
            reading.cancel()


def exit_words(returncode: int) -> str:
    """How a process ended, for people: ``exit code 3``, ``killed by SIGKILL``."""
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return f"killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"killed by signal {-returncode}"


async def _pass_on(
    stream: trio.abc.ReceiveStream,
    reading: trio.CancelScope,
    said: trio.Event,
    log: structlog.stdlib.BoundLogger,
) -> None:
    with reading:  # shielded: a worker that is being stopped still has something to say
        await each_line(stream, log.info)
    said.set()


async def _stop(process: trio.Process, grace_seconds: float, hurry: trio.Event) -> None:
    if process.poll() is None:
        _send(process, signal.SIGTERM)
        with trio.move_on_after(grace_seconds):
            await _first(process, hurry)
    _send(process, signal.SIGKILL)
    await process.wait()


async def _first(process: trio.Process, hurry: trio.Event) -> None:
    """Until the process has ended or there is no time left for it."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_then_cancel, nursery.cancel_scope, process)
        await hurry.wait()
        nursery.cancel_scope.cancel()


async def _then_cancel(scope: trio.CancelScope, process: trio.Process) -> None:
    await process.wait()
    scope.cancel()


def _send(process: trio.Process, number: signal.Signals) -> None:
    """To the whole group: a command may be a shell around the program."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)

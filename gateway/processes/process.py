"""One process, from its start to its end: its output, its signals, its group.

When it may start again is the business of whoever runs it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import trio

from gateway.processes.output import each_line
from gateway.processes.warden import Warden

_LAST_WORDS_SECONDS = 1.0
"""A child of the worker may hold its output open; what the worker itself said has come by then."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to start."""

    argv: Sequence[str]
    env: dict[str, str]
    cwd: Path | None
    stop_grace_seconds: float = 0.0
    pass_fds: tuple[int, ...] = ()
    """Of ours, which it may use too."""


def resolved(command: Sequence[str]) -> list[str]:
    """The program and its arguments; plain ``python`` is the interpreter that runs the daemon."""
    program, *arguments = command
    return [sys.executable if program in {"python", "python3"} else program, *arguments]


@asynccontextmanager
async def open_group(
    command: Command, warden: Warden, hurry: trio.Event, **streams: Any
) -> AsyncIterator[trio.Process]:
    """The process, in a group of its own; leaving the block stops it. ``streams`` are those of
    ``subprocess.Popen``.

    Leave it early (or be cancelled) and it gets SIGTERM, then SIGKILL when its grace is over or
    ``hurry`` is set. What is left of its group when it has ended is killed. Raises OSError where it
    cannot be started.
    """
    process = await _start(command, warden, **streams)
    try:
        yield process
    finally:
        await _end(process, command, warden, hurry)


@asynccontextmanager
async def run_process(
    command: Command, warden: Warden, hurry: trio.Event, log: structlog.stdlib.BoundLogger
) -> AsyncIterator[trio.Process]:
    """As ``open_group``; there is nothing for it to read, and what it writes goes into the log line
    by line."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = await _start(command, warden, **streams)
    assert process.stdout is not None
    async with trio.open_nursery() as nursery:
        # Shielded: a process that is being stopped still has something to say.
        reading = trio.CancelScope(shield=True)
        nursery.start_soon(_pass_on, process.stdout, reading, log)
        try:
            yield process
        finally:
            await _end(process, command, warden, hurry)
            reading.deadline = trio.current_time() + _LAST_WORDS_SECONDS


def exit_words(returncode: int) -> str:
    """How a process ended, for people: ``exit code 3``, ``killed by SIGKILL``."""
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return f"killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"killed by signal {-returncode}"


async def _start(command: Command, warden: Warden, **streams: Any) -> trio.Process:
    process: trio.Process = await trio.lowlevel.open_process(
        command.argv,
        env=command.env,
        cwd=command.cwd,
        pass_fds=command.pass_fds,
        start_new_session=True,
        **streams,
    )
    warden.follow(process.pid, command.stop_grace_seconds)
    return process


async def _end(process: trio.Process, command: Command, warden: Warden, hurry: trio.Event) -> None:
    with trio.CancelScope(shield=True):
        await _stop(process, command.stop_grace_seconds, hurry)
        warden.forget(process.pid)


async def _pass_on(
    stream: trio.abc.ReceiveStream, reading: trio.CancelScope, log: structlog.stdlib.BoundLogger
) -> None:
    async with stream:
        with reading:
            await each_line(stream, log.info)


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

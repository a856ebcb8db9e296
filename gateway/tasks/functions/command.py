"""A program that reads JSON and writes JSON."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Final, Literal

import structlog
import trio
from pydantic import Field

from gateway.http.sizes import MOST_BYTES, check_size
from gateway.processes.output import each_line
from gateway.tasks.functions.environment import ProcessSettings, environment
from gateway.tasks.functions.function import (
    Function,
    FunctionError,
    Invocation,
    Kit,
    parsed_error,
    time_limit,
)

if TYPE_CHECKING:
    from gateway.processes.process import Command

_STDERR_CHARACTERS: Final = 8_000
"""Of the end of what it said, in the cause."""
_LAST_WORDS_SECONDS: Final = 1.0


class CommandFunction(ProcessSettings):
    """A program: the payload is its standard input, its standard output the result.

    Where it exits with another code than 0 the error is `Command.ExitCode.N`, or `errorType` of an
    object that it wrote, with the end of its standard error as the message.
    """

    type: Literal["command"]
    """``command``"""
    command: Annotated[tuple[str, ...], Field(min_length=1)]
    """The program and its arguments, as in `[./price, --json]`; no shell is involved. `python` is
    the interpreter that runs the daemon."""
    concurrency: Annotated[int, Field(ge=1, le=1_000)] = 16
    """Calls at a time, each a process; further ones wait."""

    def open(self, name: str, kit: Kit) -> Function:
        """The function."""
        return _Program(name, self, kit)


class _Program:
    def __init__(self, name: str, settings: CommandFunction, kit: Kit) -> None:
        self._name = name
        self._settings = settings
        self._kit = kit
        self._log = kit.log.bind(function=name)

    async def call(self, invocation: Invocation) -> bytes:
        from gateway.processes.process import open_group

        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        command, warden = self._command(invocation), await self._kit.warden()
        with time_limit(self._settings.timeout, invocation.key):
            try:
                async with open_group(command, warden, trio.Event(), **pipes) as process:
                    talk = _Talk(process, self._log)
                    await talk.run(invocation.payload or b"{}")
            except OSError as error:
                raise FunctionError("Runtime.InvalidEntrypoint", str(error)) from None
        check_size(talk.output)
        if process.returncode:
            raise _failure(process.returncode, bytes(talk.output), talk.said)
        return bytes(talk.output) if talk.output.strip() else b"null"

    def retire(self) -> None:
        """Each call has a process of its own."""

    def _command(self, invocation: Invocation) -> Command:
        from gateway.processes.process import Command, resolved

        ours = {"STATEGATE_FUNCTION": self._name, "STATEGATE_REQUEST_ID": invocation.key}
        return Command(
            resolved(self._settings.command),
            environment(os.environ, self._settings, ours),
            self._settings.directory,
        )


class _Talk:
    """What is said to a process, and what it says."""

    def __init__(self, process: trio.Process, log: structlog.stdlib.BoundLogger) -> None:
        self._process = process
        self._log = log
        self.output = bytearray()
        self.said = ""
        """The end of its standard error."""

    async def run(self, given: bytes) -> None:
        """Until it has ended, or has written more than anybody would read."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        async with process.stdin, process.stdout, process.stderr, trio.open_nursery() as nursery:
            nursery.start_soon(self._feed, process.stdin, given)
            nursery.start_soon(self._read, process.stdout, nursery.cancel_scope)
            nursery.start_soon(each_line, process.stderr, self._take)
            await process.wait()
            # A child of its own may hold its output open; what it said itself has come by then.
            nursery.cancel_scope.deadline = trio.current_time() + _LAST_WORDS_SECONDS

    async def _feed(self, stream: trio.abc.SendStream, given: bytes) -> None:
        with suppress(trio.BrokenResourceError):  # it need not read what it does not want
            await stream.send_all(given)
        await stream.aclose()

    async def _read(self, stream: trio.abc.ReceiveStream, everything: trio.CancelScope) -> None:
        async for chunk in stream:
            self.output += chunk
            if len(self.output) > MOST_BYTES:
                everything.cancel()

    def _take(self, line: str) -> None:
        self._log.info(line)
        self.said = f"{self.said}{line}\n"[-_STDERR_CHARACTERS:]


def _failure(code: int, output: bytes, said: str) -> FunctionError:
    """The error that it wrote, or one by how it ended."""
    told = parsed_error(output)
    if told is not None:
        return FunctionError.as_told(told)
    if code > 0:
        kind = f"Command.ExitCode.{code}"
    else:
        kind = f"Command.Signal.{signal.Signals(-code).name}"
    return FunctionError(kind, said.rstrip("\n"))

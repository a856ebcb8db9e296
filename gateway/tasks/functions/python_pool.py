"""Processes that run one handler: as many as are called at a time, kept for the next call."""

from __future__ import annotations

import math
import signal
import socket
from dataclasses import replace
from typing import Final

import structlog
import trio

from gateway.http.sizes import check_size
from gateway.processes.process import Command, run_process
from gateway.tasks.functions.function import FunctionError, Kit, time_limit

IDLE_SECONDS: Final = 600.0
"""So long a process waits for its next call before it is ended."""
_IMPORT_SECONDS: Final = 60.0
_LAST_WORDS_SECONDS: Final = 2.0


class _Ended(Exception):
    """The process has closed its line."""


class _Process:
    """One of them, while it runs."""

    def __init__(self, process: trio.Process, line: trio.SocketStream) -> None:
        self._process = process
        self._line = line
        self.scope = trio.CancelScope()
        """Cancelled, it is killed."""

    async def ask(self, call: bytes) -> bytes:
        """Its answer to a line. Raises _Ended and TooLarge, after which it is of no use."""
        try:
            await self._line.send_all(call)
        except trio.BrokenResourceError:
            raise _Ended from None
        return await self.hear()

    async def hear(self) -> bytes:
        """The next line that it says."""
        said = bytearray()
        while not said.endswith(b"\n"):
            try:
                chunk = await self._line.receive_some()
            except trio.BrokenResourceError:
                chunk = b""
            if not chunk:
                raise _Ended
            said += chunk
            check_size(said)
        return bytes(said[:-1])

    async def last_words(self) -> str:
        """How it ended, as Lambda says it."""
        with trio.move_on_after(_LAST_WORDS_SECONDS):
            await self._process.wait()
        code = self._process.returncode
        if not code:
            return "Runtime exited without providing a reason"
        if code > 0:
            return f"Runtime exited with error: exit status {code}"
        return f"Runtime exited with error: signal: {(signal.strsignal(-code) or '').lower()}"


class Pool:
    """Its processes live in the kit's nursery."""

    def __init__(self, command: Command, kit: Kit, log: structlog.stdlib.BoundLogger) -> None:
        """``command`` is given the descriptor of its line as one argument more."""
        self._command = command
        self._kit = kit
        self._log = log
        self._spare: list[_Process] = []
        """The one that was used last is used next."""
        self._retired = False

    def retire(self) -> None:
        """End those that wait, and the others after their call."""
        self._retired = True
        for process in self._spare:
            process.scope.cancel()

    async def call(self, call: bytes, seconds: float, key: str) -> bytes:
        """The answer of a process to a line. Raises FunctionError where its time is up or it ends
        in the middle."""
        process = self._take() or await self._start()
        answer = b"!"
        try:
            with time_limit(seconds, key):
                answer = await process.ask(call)
        except _Ended:
            raise _exit(key, await process.last_words()) from None
        finally:
            self._give_back(process, good=not answer.startswith(b"!"))
        return answer

    def _take(self) -> _Process | None:
        while self._spare:
            process = self._spare.pop()
            if not process.scope.cancel_called:
                process.scope.deadline = math.inf
                return process
        return None

    def _give_back(self, process: _Process, *, good: bool) -> None:
        if good and not self._retired:
            process.scope.deadline = trio.current_time() + IDLE_SECONDS
            self._spare.append(process)
        else:
            process.scope.cancel()

    async def _start(self) -> _Process:
        """One that has imported its handler, or knows why not."""
        try:
            process: _Process = await self._kit.nursery.start(self._run)
        except OSError as error:
            raise FunctionError("Runtime.InvalidEntrypoint", str(error)) from None
        ready = False
        try:
            with time_limit(_IMPORT_SECONDS, ""):
                await process.hear()
            ready = True
        except _Ended:
            raise _exit("", await process.last_words()) from None
        finally:
            if not ready:
                process.scope.cancel()
        return process

    async def _run(self, task_status: trio.TaskStatus[_Process]) -> None:
        ours, theirs = socket.socketpair()
        number = theirs.fileno()
        argv = [*self._command.argv, str(number)]
        command = replace(self._command, argv=argv, pass_fds=(number,))
        with theirs:
            async with trio.SocketStream(trio.socket.from_stdlib_socket(ours)) as line:
                warden = await self._kit.warden()
                async with run_process(command, warden, trio.Event(), self._log) as running:
                    theirs.close()
                    process = _Process(running, line)
                    with process.scope:
                        task_status.started(process)
                        await running.wait()
                    if process in self._spare:
                        self._spare.remove(process)


def _exit(key: str, how: str) -> FunctionError:
    return FunctionError("Runtime.ExitError", f"RequestId: {key} Error: {how}")

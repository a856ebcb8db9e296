"""A Lambda handler in Python, which runs as it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import orjson
from pydantic import AfterValidator, Field

from gateway.tasks.functions.environment import ProcessSettings, environment
from gateway.tasks.functions.function import Function, FunctionError, Invocation, Kit

if TYPE_CHECKING:
    from gateway.processes.process import Command

_SCRIPT: Final = Path(__file__).with_name("python_process.py")
_MIB: Final = 1024 * 1024


def _check_handler(handler: str) -> str:
    module, name = split_handler(handler)
    if not name.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise ValueError("must be a module and a function in it, as shop.prices:handler")
    return handler


def split_handler(handler: str) -> tuple[str, str]:
    """Module and function; Lambda's own ``folder/module.function`` will do."""
    module, _, name = handler.rpartition(":" if ":" in handler else ".")
    return module.replace("/", "."), name


class PythonFunction(ProcessSettings):
    """A Lambda handler, unmodified, in processes that serve one call each at a time.

    What it raises, how it exits and what it exceeds becomes the error that Lambda would answer;
    what it prints goes into the log.
    """

    type: Literal["python"]
    """``python``"""
    handler: Annotated[str, AfterValidator(_check_handler)]
    """Module and function, as `shop.prices:handler`, or as Lambda writes it,
    `shop/prices.handler`."""
    venv: Path | None = None
    """Virtual environment with what it imports. Default: what the daemon itself runs in."""
    concurrency: Annotated[int, Field(ge=1, le=1_000)] = 4
    """Calls at a time, each in a process of its own; further ones wait. A process is started when
    there is a call for it and ended after ten minutes without one."""
    memory: Annotated[int, Field(ge=32)] = 1024
    """MiB of data that a process may have; beyond that Python raises MemoryError."""

    @property
    def interpreter(self) -> str:
        """The Python that runs it."""
        return sys.executable if self.venv is None else str(self.venv / "bin" / "python")

    def open(self, name: str, kit: Kit) -> Function:
        """The function."""
        return _Handler(name, self, kit)

    def command(self, name: str, region: str, inherited: Mapping[str, str]) -> Command:
        """What a process of it is."""
        from gateway.processes.process import Command

        module, function = split_handler(self.handler)
        directory = str(self.directory.absolute())
        lambdas = {
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory),
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stategate",
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,
            "LAMBDA_TASK_ROOT": directory,
            "PYTHONUNBUFFERED": "1",
            "_HANDLER": self.handler,
        }
        memory = str(self.memory * _MIB)
        argv = [self.interpreter, str(_SCRIPT), module, function, directory, memory]
        return Command(argv, environment(inherited, self, lambdas), self.directory)


class _Handler:
    def __init__(self, name: str, settings: PythonFunction, kit: Kit) -> None:
        from gateway.tasks.functions.python_pool import Pool

        self._settings = settings
        self._arn = f"arn:aws:lambda:{kit.region}:{kit.account}:function:{name}"
        command = settings.command(name, kit.region, os.environ)
        self._pool = Pool(command, kit, kit.log.bind(function=name))

    async def call(self, invocation: Invocation) -> bytes:
        seconds = self._settings.timeout
        head = {"key": invocation.key, "arn": self._arn, "seconds": seconds}
        # The payload is JSON already, on one line: what encodes it writes no other.
        call = orjson.dumps(head)[:-1] + b',"event":' + (invocation.payload or b"{}") + b"}\n"
        answer = await self._pool.call(call, seconds, invocation.key)
        if answer.startswith(b"+"):
            return answer[1:]
        raise FunctionError.as_told(answer[1:])

    def retire(self) -> None:
        self._pool.retire()

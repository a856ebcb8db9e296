"""Runs one Lambda handler: a process of its own, one call at a time.

The daemon starts it with the Python that the configuration names, so the standard library of any
version from 3.8 on has to do. Calls come over a socket, one JSON object a line; each answer is a
line: ``+`` and what the handler returned, ``-`` and the error, ``!`` and the error where the
process is of no use afterwards. A line with a dot says that the handler has been imported. The end
of the socket is the end of the daemon.
"""

from __future__ import annotations

import decimal
import importlib
import json
import logging
import os
import resource
import socket
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any


class Identity:
    """Who called: nobody that Amazon Cognito would know."""

    cognito_identity_id = None
    cognito_identity_pool_id = None


class Context:
    """The second argument of a handler, with the members that Lambda's has."""

    client_context = None
    tenant_id = None

    def __init__(self, call: dict[str, Any]) -> None:
        environ = os.environ
        self.aws_request_id = call["key"]
        self.invoked_function_arn = call["arn"]
        self.function_name = environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = Identity()
        self._ends_at = time.monotonic() + call["seconds"]

    def get_remaining_time_in_millis(self) -> int:
        """Until the call is cut."""
        return max(0, int((self._ends_at - time.monotonic()) * 1000))

    def log(self, message: object) -> None:
        """Into the log."""
        print(message, end="")  # noqa: T201


class Fault(Exception):
    """The handler cannot be called at all."""

    def __init__(self, kind: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.trace = trace or []


def main() -> None:
    """Until the socket ends. The arguments: module and name of the handler, the directory, how
    many bytes of memory there are, and the socket's descriptor."""
    module, name, directory, memory, descriptor = sys.argv[1:]
    os.set_inheritable(int(descriptor), False)
    line = socket.socket(fileno=int(descriptor))
    calls = line.makefile("rb")
    resource.setrlimit(resource.RLIMIT_DATA, (int(memory), int(memory)))
    # The script's own directory is nothing that the handler should find modules in.
    sys.path[0] = directory
    output = logging.StreamHandler(sys.stdout)
    output.setFormatter(logging.Formatter("[%(levelname)s] %(message)s"))
    logging.getLogger().addHandler(output)
    handler = _load(module, name)
    line.sendall(b".\n")
    for call in calls:
        answer = _answer(handler, json.loads(call))
        line.sendall(answer + b"\n")
        if answer.startswith(b"!"):
            return


def _load(module: str, name: str) -> Callable[[Any, Context], Any]:
    """The handler, or what fails in its place, in Lambda's words."""
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        said = f"Unable to import module '{module}': {error}"
        return _failing(Fault("Runtime.ImportModuleError", said))
    except SyntaxError as error:
        said = f"Syntax error in module '{module}': {error}"
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        return _failing(Fault("Runtime.UserCodeSyntaxError", said, trace))
    except Exception as error:
        return _failing(Fault(type(error).__name__, str(error), _trace(error)))
    if not hasattr(found, name):
        said = f"Handler '{name}' missing on module '{module}'"
        return _failing(Fault("Runtime.HandlerNotFound", said))
    handler: Callable[[Any, Context], Any] = getattr(found, name)
    return handler


def _failing(fault: Fault) -> Callable[[Any, Context], Any]:
    def fail(_event: Any, _context: Context) -> Any:
        raise fault

    return fail


def _answer(handler: Callable[[Any, Context], Any], call: dict[str, Any]) -> bytes:
    try:
        returned = handler(call["event"], Context(call))
    except Fault as fault:
        return b"!" + _error(fault.kind, str(fault), call["key"], fault.trace)
    except MemoryError as error:
        return b"!" + _error("MemoryError", str(error), call["key"], _trace(error))
    except Exception as error:
        return b"-" + _error(type(error).__name__, str(error), call["key"], _trace(error))
    try:
        return b"+" + json.dumps(returned, ensure_ascii=False, default=_plain).encode()
    except Exception as error:
        said = f"Unable to marshal response: {error}"
        return b"-" + _error("Runtime.MarshalError", said, call["key"], [])


def _plain(value: object) -> float:
    """Decimals, which DynamoDB's numbers are, are the one further type that Lambda takes."""
    if isinstance(value, decimal.Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _error(kind: str, message: str, key: str, trace: list[str]) -> bytes:
    return json.dumps(
        {"errorMessage": message, "errorType": kind, "requestId": key, "stackTrace": trace}
    ).encode()


def _trace(error: BaseException) -> list[str]:
    """From the first line that is not ours."""
    frames = traceback.extract_tb(error.__traceback__)
    while frames and (frames[0].filename == __file__ or "importlib" in frames[0].filename):
        del frames[0]
    return traceback.format_list(frames)


if __name__ == "__main__":
    main()

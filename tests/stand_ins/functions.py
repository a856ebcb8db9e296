"""A Lambda that offers Invoke; what a function does is said by the test."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote

import orjson

from tests.stand_ins.server import Answer, PartOf, Refusal, Request, Service


class Invocation(NamedTuple):
    """One call of a function."""

    function: str
    payload: bytes
    headers: dict[str, str]
    query: str


class Functions(Service):
    """Invoke, for all functions alike."""

    def __init__(self, function: Callable[[Invocation], Answer]) -> None:
        self._function = function
        self.invocations: list[Invocation] = []

    def operation(self, request: Request) -> str:
        """There is only one."""
        return "Invoke"

    def answer(self, operation: str, request: Request) -> Answer:
        """Call the function."""
        path, _, query = request.path.partition("?")
        function = unquote(path.split("/")[3])
        invocation = Invocation(function, request.body, request.headers, query)
        self.invocations.append(invocation)
        return self._function(invocation)

    def refuse(self, refusal: Refusal) -> Answer:
        """An error of the service."""
        body = orjson.dumps({"Message": "as wished"})
        return Answer(refusal.status, body, (("x-amzn-ErrorType", refusal.code),))

    def answer_in_part(self, operation: str, request: Request, part: PartOf) -> Answer:
        """There are no batches here."""
        raise NotImplementedError


def echo(invocation: Invocation) -> Answer:
    """Returns what it was given."""
    return Answer(200, invocation.payload or b"{}", (("X-Amz-Executed-Version", "$LATEST"),))


def raising(error: dict[str, object]) -> Callable[[Invocation], Answer]:
    """A function that fails with this payload."""
    return lambda _: Answer(200, orjson.dumps(error), (("X-Amz-Function-Error", "Unhandled"),))

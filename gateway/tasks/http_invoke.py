"""HTTP tasks: ``arn:aws:states:::http:invoke`` asks a URL, with the credentials of a connection of
the configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final

import trio

from gateway.asl.resources import name_in_errors, parts
from gateway.http.sizes import MOST_BYTES, TooLarge
from gateway.tasks.connection import AnyConnection, Connection
from gateway.tasks.http_request import (
    object_of,
    origin_of,
    status_text,
    text_of,
    to_request,
    to_result,
    unusable,
)
from gateway.tasks.protocol import (
    Exchange,
    Json,
    Place,
    TaskFailure,
    TaskRequest,
    Tools,
    member,
)
from gateway.tasks.tokens import NoToken, Tokens
from gateway.tasks.web import Web

if TYPE_CHECKING:
    from gateway.aws.connections import Reply

_UNAUTHORIZED: Final = 401
_SECONDS: Final = 60.0
_UNSORTED: Final = 20
_CAUSE_CHARACTERS: Final = 32_768
_ARN: Final = re.compile(r"arn:[^:]+:events:[^:]*:[^:]*:connection/([^/]+)(?:/.*)?")


class HttpConnections:
    """The connections of the configuration by name, which a reload may change at any time."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self._connections: Mapping[str, AnyConnection] = {}
        self._tokens: dict[str, Tokens] = {}

    def configure(self, wanted: Mapping[str, AnyConnection]) -> list[str]:
        """These there are from now on; returns the names of those that are new, changed or gone."""
        had, self._connections = self._connections, wanted
        changed = sorted(n for n in had.keys() | wanted.keys() if had.get(n) != wanted.get(n))
        for name in changed:
            self._tokens[name] = Tokens(self.web)
        return changed

    def find(self, arn: str) -> tuple[AnyConnection, Tokens]:
        """A connection by its ARN or name, and its tokens. Raises TaskFailure."""
        connection = self.get(arn)
        if connection is None:
            raise unusable(f"There is no connection {connection_name(arn)} in the configuration")
        return connection, self._tokens[connection_name(arn)]

    def get(self, arn: str) -> AnyConnection | None:
        """A connection by its ARN or name, if there is one."""
        return self._connections.get(connection_name(arn))


def connection_name(arn: str) -> str:
    """What the configuration calls the connection of this ARN."""
    return found[1] if (found := _ARN.fullmatch(arn)) else arn


class HttpTasks:
    """Asks."""

    name: ClassVar[str] = "http"
    resources: ClassVar[tuple[str, ...]] = ("http:invoke",)

    def __init__(self, tools: Tools) -> None:
        self._connections = tools.connections

    @staticmethod
    def takes(resource: str) -> bool:
        """There is but one Resource."""
        return parts(resource) == ("http", "invoke")

    def place(self, _resource: str, given: str | None) -> Place:
        """One for each host that a connection is used for."""
        arn = member(given, "Authentication", "ConnectionArn")
        connection = self._connections.get(str(arn))
        if connection is None:
            return Place("", _UNSORTED)
        place = origin_of(str(member(given, "ApiEndpoint")))
        return Place(f"{arn} {place}", connection.concurrency)

    async def call(self, request: TaskRequest) -> Json:
        """Headers, ResponseBody, StatusCode and StatusText of an answer of 2xx."""
        given = request.input
        if not isinstance(given, dict):
            raise unusable("The parameters have to be an object")
        arn = text_of(object_of(given, "Authentication"), "ConnectionArn")
        connection, tokens = self._connections.find(arn)
        if request.again and connection.interrupted == "fail":
            cause = "The call was interrupted and may have been made: the daemon was restarted"
            raise TaskFailure("States.TaskFailed", cause)
        try:
            with trio.fail_after(_SECONDS):
                return await self._ask(request, connection, tokens)
        except trio.TooSlowError:
            cause = f"No answer within {_SECONDS:g} seconds"
            raise TaskFailure("States.Http.Socket", cause) from None
        except NoToken as failure:
            name = "Events.ConnectionResource.InvalidConnectionState"
            raise TaskFailure(name, str(failure)) from None
        except TooLarge:
            cause = (
                f"The state/task '{name_in_errors(request.resource)}' returned a result with a"
                " size exceeding the maximum number of bytes service limit."
            )
            raise TaskFailure("States.DataLimitExceeded", cause) from None

    async def _ask(self, request: TaskRequest, connection: Connection, tokens: Tokens) -> Json:
        kept = tokens.kept
        reply = await self._answer(request, connection, tokens)
        if reply.status == _UNAUTHORIZED and kept:
            # The token may have been withdrawn before its time.
            tokens.forget()
            reply = await self._answer(request, connection, tokens)
        if 200 <= reply.status < 300:
            return to_result(reply)
        text = reply.body.decode(errors="replace")[:_CAUSE_CHARACTERS]
        raise TaskFailure(
            f"States.Http.StatusCode.{reply.status}", text or status_text(reply.status)
        )

    async def _answer(self, request: TaskRequest, connection: Connection, tokens: Tokens) -> Reply:
        from gateway.aws.connections import Unanswered

        ours = {"User-Agent": "stategate", "Idempotency-Key": request.key}
        asked = to_request(request.input, connection, await connection.prove(tokens)).under(ours)
        web = await self._connections.web.connections(allow_private=connection.allow_private)
        reply: Reply | None = None
        try:
            reply = await web.request(
                asked.method, asked.url, asked.headers.items(), asked.body, MOST_BYTES
            )
        except Unanswered as failure:
            raise TaskFailure("States.Http.Socket", str(failure)) from None
        else:
            return reply
        finally:
            if request.watch is not None:
                bare = to_request(request.input, connection.bare(), {}).under(ours)
                request.watch(Exchange(asked, bare, reply))

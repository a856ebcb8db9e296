"""Lambda functions: a function's ARN as Resource, and ``arn:aws:states:::lambda:invoke``, through
the Lambda Invoke API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import quote

import orjson
import trio

from gateway.asl.documents import read_document
from gateway.asl.resources import LAMBDA, family, name_in_errors, parts
from gateway.aws.failures import NoAws, NotAssumed
from gateway.http.sizes import TooLarge
from gateway.json_text import loads
from gateway.tasks.functions.function import Invocation, function_name
from gateway.tasks.protocol import Json, Place, TaskFailure, TaskRequest, Tools, member
from gateway.tasks.sdk import http_metadata

if TYPE_CHECKING:
    from gateway.aws.connections import Reply
    from gateway.tasks.functions.registry import Entry

_CONCURRENCY: Final = 1000
_SECONDS: Final = 910.0
"""A function may run for 900."""
_CAUSE_CHARACTERS: Final = 32_768
_REGION: Final = re.compile(r"arn:[^:]+:lambda:([a-z0-9-]+):.+")
_HEADERS: Final = {
    "InvocationType": "X-Amz-Invocation-Type",
    "LogType": "X-Amz-Log-Type",
    "ClientContext": "X-Amz-Client-Context",
}
_ANSWERED: Final = {
    "ExecutedVersion": "x-amz-executed-version",
    "LogResult": "x-amz-log-result",
}
_UNTYPED: Final = (
    "The cause could not be determined because Lambda did not return an error type."
    " Returned payload: "
)


class LambdaFunctions:
    """Invokes them."""

    name: ClassVar[str] = "lambda"
    resources: ClassVar[tuple[str, ...]] = ("lambda:invoke",)

    def __init__(self, tools: Tools) -> None:
        self._aws = tools.aws
        self._functions = tools.functions

    @staticmethod
    def takes(resource: str) -> bool:
        """A function's ARN, or ``lambda:invoke`` whose answer is the result."""
        return family(resource) == LAMBDA or parts(resource) == ("lambda", "invoke")

    def place(self, resource: str, given: str | None) -> Place:
        """One for each function of the configuration, one for all others."""
        if family(resource) != LAMBDA:
            resource = str(member(given, "FunctionName"))
        entry = self._functions.find(resource)
        if entry is None:
            return Place("", _CONCURRENCY)
        return Place(function_name(resource), entry.settings.concurrency)

    async def call(self, request: TaskRequest) -> Json:
        """Of an ARN, what the function returned; of ``lambda:invoke``, that as Payload of the
        service's answer."""
        if family(request.resource) == LAMBDA:
            body = orjson.dumps(request.input)
            return _payload(await self._invoke(request, request.resource, {}, body))
        given = request.input
        if not isinstance(given, dict) or not isinstance(given.get("FunctionName"), str):
            raise TaskFailure("States.Runtime", "The parameter FunctionName has to be a string")
        payload = given.get("Payload")
        body = b"" if payload is None else orjson.dumps(payload)
        return _described(await self._invoke(request, given["FunctionName"], given, body))

    async def _invoke(
        self, request: TaskRequest, function: str, given: dict[str, Json], body: bytes
    ) -> Reply:
        """The answer of a function that did not fail."""
        entry = self._functions.find(function)
        if request.again and entry is not None and entry.settings.interrupted == "fail":
            cause = "The call was interrupted and may have been made: the daemon was restarted"
            raise TaskFailure("Lambda.Unknown", cause)
        try:
            reply = await self._reply(entry, request, function, given, body)
        except TooLarge:
            cause = (
                f"The state/task '{name_in_errors(request.resource)}' returned a result with a"
                " size exceeding the maximum number of bytes service limit."
            )
            raise TaskFailure("States.DataLimitExceeded", cause) from None
        if reply.header("x-amz-function-error") is not None:
            raise _function_error(reply, whole=family(request.resource) == LAMBDA)
        return reply

    async def _reply(
        self,
        entry: Entry | None,
        request: TaskRequest,
        function: str,
        given: dict[str, Json],
        body: bytes,
    ) -> Reply:
        if entry is None:
            return await self._ask(request, function, given, body)
        async with entry.limiter:
            if entry.local is not None:
                kind = given.get("InvocationType")
                return await entry.local.invoke(Invocation(body, request.key), kind)
            return await self._ask(request, entry.elsewhere or function, given, body)

    async def _ask(
        self, request: TaskRequest, function: str, given: dict[str, Json], body: bytes
    ) -> Reply:
        """The answer of AWS's Lambda that is no refusal."""
        from gateway.aws.connections import Unanswered

        region = found[1] if (found := _REGION.fullmatch(function)) else None
        try:
            with trio.fail_after(_SECONDS):
                reply = await self._post(request, region, function, given, body)
        except NotAssumed as failure:
            raise TaskFailure("States.Permissions", str(failure)) from None
        except (Unanswered, NoAws) as failure:
            cause = f"Unable to execute HTTP request: {failure}"
            raise TaskFailure("Lambda.SdkClientException", cause) from None
        except trio.TooSlowError:
            cause = f"Client execution did not complete within {_SECONDS:g} seconds"
            raise TaskFailure("Lambda.ClientExecutionTimeoutException", cause) from None
        if reply.status >= 300:
            raise _refusal(reply, await self._aws.errors("lambda", region, "Invoke"))
        return reply

    async def _post(
        self,
        request: TaskRequest,
        region: str | None,
        function: str,
        given: dict[str, Json],
        body: bytes,
    ) -> Reply:
        path = f"/2015-03-31/functions/{quote(function, safe='')}/invocations"
        if "Qualifier" in given:
            path += f"?Qualifier={quote(str(given['Qualifier']), safe='')}"
        headers = {header: str(given[name]) for name, header in _HEADERS.items() if name in given}
        headers["Idempotency-Key"] = request.key
        return await self._aws.post("lambda", region, path, headers, body, role=request.role)


def _payload(reply: Reply) -> Json:
    try:
        return read_document(reply.body)
    except ValueError as wrong:
        raise TaskFailure("Lambda.Unknown", f"The returned payload is no JSON: {wrong}") from None


def _described(reply: Reply) -> dict[str, Json]:
    """The answer as AWS's SDK for Java shows it."""
    shown: dict[str, Json] = {}
    for name, header in _ANSWERED.items():
        if (value := reply.header(header)) is not None:
            shown[name] = value
    if reply.body:
        shown["Payload"] = _payload(reply)
    return {**shown, **http_metadata(reply.status, reply.headers), "StatusCode": reply.status}


def _function_error(reply: Reply, *, whole: bool) -> TaskFailure:
    """The function failed: its error by its type, with all that it said as the cause; to the letter
    (``whole``), or as ``lambda:invoke`` writes the JSON that it has read."""
    said = _parsed(reply.body)
    body = reply.body if whole or not said else orjson.dumps(said)
    text = body.decode(errors="replace")[:_CAUSE_CHARACTERS]
    kind = said.get("errorType")
    if isinstance(kind, str) and kind:
        return TaskFailure(kind, text)
    return TaskFailure("Lambda.Unknown", (_UNTYPED + text)[:_CAUSE_CHARACTERS])


def _refusal(reply: Reply, known: frozenset[str]) -> TaskFailure:
    """The service said no. What its model does not know has AWS's general name."""
    said = _parsed(reply.body)
    code = (reply.header("x-amzn-errortype") or str(said.get("__type", ""))).split(":")[0]
    code = code.rpartition("#")[2]
    message = said.get("Message") or said.get("message") or ""
    cause = (
        f"{message} (Service: AWSLambda; Status Code: {reply.status}; Error Code: {code or None};"
        f" Request ID: {reply.header('x-amzn-requestid')}; Proxy: null)"
    )
    return TaskFailure(f"Lambda.{code if code in known else 'AWSLambdaException'}", cause)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        said = loads(body)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}

"""Calls of any operation of an AWS service.

botocore makes, signs and reads the messages; they go over trio, so that a call under way needs no
thread and ends at once when its task does.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
import trio

from gateway.aws.connections import Reply, Transport, Unanswered
from gateway.aws.failures import NoAws
from gateway.http.sizes import MOST_BYTES

if TYPE_CHECKING:
    from botocore.retries.standard import RetryContext

    from gateway.aws.caller import Caller

_ATTEMPTS: Final = 3
_SECONDS: Final = 70.0
"""For one attempt. What answers late on purpose, as a long poll, takes up to 60."""
_UNSENT: Final = frozenset({"expect", "content-length", "host"})
"""Headers that the connection sees to."""


class Refused(Exception):
    """The service answered with an error."""

    def __init__(self, parsed: dict[str, Any], reply: Reply, attempts: int) -> None:
        super().__init__(str(parsed.get("Error")))
        self.parsed = parsed
        self.reply = reply
        self.attempts = attempts


class Answer(NamedTuple):
    """Of a call that succeeded."""

    parsed: dict[str, Any]
    """As botocore gives it, without ResponseMetadata."""
    reply: Reply


class _Held(Exception):
    """What is to be sent, on its way out of botocore."""

    def __init__(self, request: Any, context: dict[str, Any]) -> None:
        super().__init__()
        self.request = request
        self.context = context


class AwsClient:
    """A service in a region, as one caller."""

    def __init__(self, built: Any, transport: Transport, caller: Caller | None) -> None:
        """``built`` is botocore's client; nobody looks at the signatures without a ``caller``."""
        from botocore.retries.standard import ExponentialBackoff, StandardRetryConditions

        self.model: Any = built.meta.service_model
        self.url: str = built.meta.endpoint_url.rstrip("/")
        self._region: str = built.meta.region_name
        self._signing_name: str = self.model.signing_name
        self._built = built
        self._transport = transport
        self._caller = caller
        self._methods = {name: method for method, name in built.meta.method_to_api_mapping.items()}
        self._again = StandardRetryConditions(_ATTEMPTS)
        self._backoff = ExponentialBackoff(service_name=self.model.service_name)
        self._endpoint: str | None = None
        self._context: dict[str, Any] = {}
        built.meta.events.register_last("before-call", self._note)
        built.meta.events.register_last("before-send", self._hold)

    async def call(
        self, operation: str, parameters: dict[str, Any], endpoint: str | None = None
    ) -> Answer:
        """The answer, after as many attempts as AWS's SDKs make; ``endpoint`` counts instead of the
        service's own. Raises Refused, NoAws, Unanswered and TooLarge."""
        for attempt in range(1, _ATTEMPTS + 1):
            if self._caller is not None:
                await self._caller.ready()
            held = self._prepared(operation, parameters, endpoint)
            try:
                reply = await self._sent(held.request)
            except Unanswered as failure:
                outcome: Exception = failure
                found = self._failed(operation, attempt, failure)
            else:
                parsed = self._read(operation, held, reply)
                if reply.status < 300 and "Error" not in parsed:
                    return Answer(parsed, reply)
                outcome = Refused(parsed, reply, attempt)
                found = self._refused(operation, attempt, held, outcome)
            if not self._again.is_retryable(found):
                raise outcome
            await trio.sleep(self._backoff.delay_amount(found))
        raise AssertionError("the last attempt is never retryable")

    async def post(
        self, path: str, headers: Mapping[str, str], body: bytes, most_bytes: int
    ) -> Reply:
        """One signed POST; whatever status was answered. Raises NoAws, Unanswered and TooLarge."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        assert self._caller is not None, "who posts is somebody"
        url = self.url + path
        request = AWSRequest("POST", url, headers=dict(headers), data=body)
        await self._caller.ready()
        SigV4Auth(self._caller.keys(), self._signing_name, self._region).add_auth(request)
        signed = [("Host", url.split("/", 3)[2]), *request.headers.items()]
        return await self._transport.request("POST", url, signed, body, most_bytes)

    def error_shape(self, code: str) -> str | None:
        """The name that the model gives to an error, by its code on the wire."""
        found = self.model.shape_for_error_code(code)
        return None if found is None else str(found.name)

    def streams(self, operation: str) -> bool:
        """Whether it answers or is asked with a stream of events, which no document can hold."""
        model = self.model.operation_model(operation)
        return bool(model.has_event_stream_output or model.has_event_stream_input)

    # ------------------------------------------------------------------- one attempt
    def _prepared(self, operation: str, parameters: dict[str, Any], endpoint: str | None) -> _Held:
        from botocore.exceptions import BotoCoreError

        self._endpoint = endpoint
        try:
            getattr(self._built, self._methods[operation])(**parameters)
        except _Held as held:
            return held
        except BotoCoreError as failure:
            raise NoAws(str(failure)) from None
        raise NoAws(f"botocore does not send {operation}")

    def _note(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        self._context = context
        if self._endpoint is not None:
            params["url"] = self._endpoint + params["url_path"]

    def _hold(self, request: Any, **_: Any) -> None:
        raise _Held(request, self._context)

    async def _sent(self, request: Any) -> Reply:
        body = request.body
        if hasattr(body, "read"):
            body = body.read()
        content = body.encode() if isinstance(body, str) else bytes(body or b"")
        headers = [(name, _text(value)) for name, value in _kept(request.headers)]
        headers.append(("Host", request.url.split("/", 3)[2]))
        with trio.move_on_after(_SECONDS):
            return await self._transport.request(
                request.method, request.url, headers, content, MOST_BYTES
            )
        raise Unanswered(f"Read timed out after {_SECONDS:g} seconds")

    def _read(self, operation: str, held: _Held, reply: Reply) -> dict[str, Any]:
        """The answer as botocore's own client would give it, its corrections among it."""
        from botocore.endpoint import convert_to_response_dict
        from botocore.parsers import ResponseParserError, create_parser

        model = self.model.operation_model(operation)
        where = f"{self.model.service_id.hyphenize()}.{operation}"
        response = _response(held.request.url, reply)
        found = convert_to_response_dict(response, model)
        corrected: dict[str, Any] = {}
        try:
            self._built.meta.events.emit(
                f"before-parse.{where}",
                operation_model=model,
                response_dict=found,
                customized_response_dict=corrected,
            )
            _insist_on_json(self.model.resolved_protocol, reply)
            parser = create_parser(self.model.resolved_protocol)
            parsed: dict[str, Any] = {**parser.parse(found, model.output_shape), **corrected}
        except (ResponseParserError, KeyError, ValueError) as failure:
            raise Unanswered(f"the answer is none of {where}: {failure}") from None
        self._built.meta.events.emit(
            f"after-call.{where}",
            http_response=response,
            parsed=parsed,
            model=model,
            context=held.context,
        )
        parsed.pop("ResponseMetadata", None)
        return parsed

    # ------------------------------------------------------------------- whether to ask again
    def _failed(self, operation: str, attempt: int, failure: Unanswered) -> RetryContext:
        from botocore.exceptions import ConnectionError as Broken
        from botocore.retries.standard import RetryContext

        model = self.model.operation_model(operation)
        return RetryContext(attempt, model, caught_exception=Broken(error=failure))

    def _refused(self, operation: str, attempt: int, held: _Held, no: Refused) -> RetryContext:
        from botocore.retries.standard import RetryContext

        model = self.model.operation_model(operation)
        return RetryContext(attempt, model, no.parsed, _response(held.request.url, no.reply))


def _insist_on_json(protocol: str, reply: Reply) -> None:
    """Raises ValueError: botocore itself takes any body of a 200 for an answer, a proxy's page,
    too."""
    if protocol == "json" and reply.status < 300 and reply.body:
        orjson.loads(reply.body)


class _Raw(io.BytesIO):
    """A body as urllib3 would hold it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        """The whole of it."""
        while part := self.read():
            yield part


def _response(url: str, reply: Reply) -> Any:
    from botocore.awsrequest import AWSResponse

    return AWSResponse(url, reply.status, dict(reply.headers), _Raw(reply.body))


def _kept(headers: Any) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in headers.items() if name.lower() not in _UNSENT)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value

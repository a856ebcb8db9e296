"""From a request to a message: the body by its content type, and the id of the delivery. Pure."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping, Sequence
from email.message import Message as Header
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, quote

import orjson

from gateway.sources.bodies import TooDeep, parse_json
from gateway.sources.protocol import Message
from gateway.sources.verify.verdict import Arrival, Unwrapped

Json: TypeAlias = Any

_MOST_FIELDS = 1_000
_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie"})
_NO_CHARSETS = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
)
"""Codecs that Python has besides: some take a time that grows with the square of the body, others
make lone surrogates, which nothing can write."""
_DELIVERY_IDS = ("webhook-id", "x-github-delivery", "idempotency-key")


class BadBody(ValueError):
    """The body is not what its content type says, or the query is none."""


def to_message(
    arrival: Arrival,
    parameters: Mapping[str, str],
    unwrapped: Unwrapped | None,
    *,
    received_at: int,
    fresh_id: str,
) -> Message:
    """The message of a verified request, with ``fresh_id`` if it names none. Raises BadBody."""
    body = parse_body(arrival) if unwrapped is None else unwrapped.body
    delivery = delivery_id(arrival, body) if unwrapped is None else unwrapped.id
    delivery = delivery or fresh_id
    return Message(
        id=delivery,
        body=body,
        received_at=received_at,
        default_name=_name([*parameters.values()], delivery),
        coordinates=f"{arrival.method} {arrival.path}, delivery {delivery}",
        members={
            "headers": _without_credentials(arrival.headers),
            "query": _query(arrival.query),
            "method": arrival.method,
            "path_parameters": dict(parameters),
            **(unwrapped.members if unwrapped else {}),
        },
        trace=arrival.headers.get("traceparent"),
        unfit=unwrapped.unfit if unwrapped else None,
    )


def _name(parameters: Sequence[str], delivery: str) -> str:
    """Senders who share a trigger are told apart by the path: their ids may be the same."""
    if any("-" in parameter for parameter in parameters):
        # ``a-b`` with the id ``c`` must not be taken for ``a`` with the id ``b-c``.
        return "/".join([*(quote(parameter, safe="") for parameter in parameters), delivery])
    return "-".join([*parameters, delivery])


def parse_body(arrival: Arrival) -> Json:
    """JSON and forms as documents; anything else as JSON where it is that, else as text.

    A field that a form has more than once becomes a list. Raises BadBody.
    """
    if arrival.headers.get("content-encoding", "identity") != "identity":
        raise BadBody("a compressed body is not taken: send it without Content-Encoding")
    kind, charset = _content_type(arrival.headers.get("content-type", ""))
    if kind == "application/json" or kind.endswith("+json"):
        return _json(arrival.body)
    if kind == "application/x-www-form-urlencoded":
        return _form(arrival.body)
    return _json_or_text(arrival.body, charset)


def delivery_id(arrival: Arrival, body: Json) -> str | None:
    """The id that the sender gave this delivery, the same when it is repeated."""
    for header in _DELIVERY_IDS:
        if given := arrival.headers.get(header, "").strip('" '):
            return given
    kind, _ = _content_type(arrival.headers.get("content-type", ""))
    if kind == "application/cloudevents+json":
        event = body if isinstance(body, dict) else {}
        return _cloud_event_id(event.get("source"), event.get("id"))
    return _cloud_event_id(arrival.headers.get("ce-source"), arrival.headers.get("ce-id"))


def _cloud_event_id(source: Json, identifier: Json) -> str | None:
    """CloudEvents are unique by both; neither may hold a blank that would make two pairs equal."""
    if isinstance(source, str) and isinstance(identifier, str) and source and identifier:
        return f"{source} {identifier}"
    return None


def _json(body: bytes) -> Json:
    try:
        return parse_json(body)
    except orjson.JSONDecodeError as error:
        raise BadBody(f"the body is not JSON: {error}") from None
    except TooDeep as deep:
        raise BadBody(str(deep)) from None


def _query(query: str) -> Json:
    try:
        return _collected(_fields(query))
    except ValueError as error:
        raise BadBody(f"the query cannot be read: {error}") from None


def _form(body: bytes) -> Json:
    try:
        return _collected(_fields(body.decode()))
    except ValueError as error:
        raise BadBody(f"the body is not a form: {error}") from None


def _json_or_text(body: bytes, charset: str) -> Json:
    try:
        return parse_json(body)
    except orjson.JSONDecodeError:
        pass
    except TooDeep as deep:
        raise BadBody(str(deep)) from None
    try:
        _check_charset(charset)
        return body.decode(charset)
    except (LookupError, UnicodeError) as error:
        raise BadBody(f"the body is neither JSON nor text in {charset}: {error}") from None


def _check_charset(charset: str) -> None:
    """Raises LookupError for a codec of Python's that is no charset."""
    if codecs.lookup(charset).name in _NO_CHARSETS:
        raise LookupError(f"unknown encoding: {charset}")


def _fields(encoded: str) -> list[tuple[str, str]]:
    return parse_qsl(encoded, keep_blank_values=True, max_num_fields=_MOST_FIELDS)


def _collected(fields: Iterable[tuple[str, str]]) -> dict[str, Json]:
    """A name that comes once has its value, one that comes again a list of them."""
    lists: dict[str, list[str]] = {}
    for name, value in fields:
        lists.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in lists.items()}


def _content_type(header: str) -> tuple[str, str]:
    """Media type in lower case and charset."""
    parsed = Header()
    parsed["content-type"] = header or "text/plain"
    return parsed.get_content_type(), str(parsed.get_param("charset", "utf-8"))


def _without_credentials(headers: Mapping[str, str]) -> dict[str, str]:
    """A message is kept on disk and shown to people: passwords and tokens do not belong there."""
    return {name: value for name, value in headers.items() if name not in _CREDENTIALS}

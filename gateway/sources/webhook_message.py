"""From a request to a message: the body by its content type, and the id of the delivery. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from email.message import Message as Header
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import orjson

from gateway.json_text import loads
from gateway.sources.protocol import Message
from gateway.sources.verify.verdict import Arrival, Unwrapped

Json: TypeAlias = Any

_MOST_FIELDS = 1_000
_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie"})
_DELIVERY_IDS = ("webhook-id", "x-github-delivery", "idempotency-key")


class BadBody(ValueError):
    """The body is not what its content type says."""


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
        # Senders who share a trigger are told apart by the path: their ids may be the same.
        default_name="-".join([*parameters.values(), delivery]),
        coordinates=f"{arrival.method} {arrival.path}, delivery {delivery}",
        members={
            "headers": _without_credentials(arrival.headers),
            "query": _collected(_fields(arrival.query)),
            "method": arrival.method,
            "path_parameters": dict(parameters),
            **(unwrapped.members if unwrapped else {}),
        },
        trace=arrival.headers.get("traceparent"),
    )


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
        return loads(body)
    except orjson.JSONDecodeError as error:
        raise BadBody(f"the body is not JSON: {error}") from None


def _form(body: bytes) -> Json:
    try:
        return _collected(_fields(body.decode()))
    except ValueError as error:
        raise BadBody(f"the body is not a form: {error}") from None


def _json_or_text(body: bytes, charset: str) -> Json:
    try:
        return loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return body.decode(charset)
    except (LookupError, UnicodeError) as error:
        raise BadBody(f"the body is neither JSON nor text in {charset}: {error}") from None


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

"""From a request to a message: bodies by content type and ids of deliveries."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.sources.verify.verdict import Arrival
from gateway.sources.webhook_message import BadBody, delivery_id, parse_body, to_message


def arrival(body: bytes = b"", kind: str = "", **headers: str) -> Arrival:
    """A request with a body and headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Arrival("POST", "/hooks/x", {"content-type": kind, **named}, "", body)


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (b'{"a": 1}', "application/json", {"a": 1}),
        (b'{"a": 1}', "application/cloudevents+json; charset=utf-8", {"a": 1}),
        (b'"a"', "APPLICATION/JSON", "a"),
        (
            b"a=1&b=2&b=%C3%A9&c=",
            "application/x-www-form-urlencoded",
            {"a": "1", "b": ["2", "é"], "c": ""},
        ),
        (b'{"a": 1}', "text/plain", {"a": 1}),
        (b"hello", "text/plain", "hello"),
        (b"\xe9", "text/plain; charset=latin-1", "é"),
        (b"<a/>", "application/xml", "<a/>"),
        (b"hello", "", "hello"),
        (b"", "", ""),
    ],
)
def test_bodies_are_parsed_by_their_content_type(body: bytes, kind: str, expected) -> None:
    """JSON and forms become documents; anything else JSON where it is that, else text."""
    assert parse_body(arrival(body, kind)) == expected


@pytest.mark.parametrize(
    ("body", "kind", "headers"),
    [
        (b"{", "application/json", {}),
        (b"", "application/json", {}),
        (b"NaN", "application/vnd.api+json", {}),
        (b"\xff", "application/x-www-form-urlencoded", {}),
        (b"&".join([b"a=1"] * 1001), "application/x-www-form-urlencoded", {}),
        (b"\xff", "text/plain", {}),
        (b"a", "text/plain; charset=klingon", {}),
        (b"{}", "application/json", {"content_encoding": "gzip"}),
        (b"[" * 1_000 + b"]" * 1_000, "application/json", {}),
        (b"[" * 1_000 + b"]" * 1_000, "text/plain", {}),
        (b"a-", "text/plain; charset=punycode", {}),
        (b"+2AA-", "text/plain; charset=UTF7", {}),
        (rb"\ud800", "text/plain; charset=unicode_escape", {}),
    ],
)
def test_bodies_that_are_not_what_they_say(body: bytes, kind: str, headers) -> None:
    """Each is refused with the reason."""
    with pytest.raises(BadBody, match="body"):
        parse_body(arrival(body, kind, **headers))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"webhook_id": "w", "x_github_delivery": "g"}, "w"),
        ({"x_github_delivery": "g", "idempotency_key": "i"}, "g"),
        ({"idempotency_key": '"i"', "ce_id": "1", "ce_source": "s"}, "i"),
        ({"ce_id": "1", "ce_source": "/s"}, "/s 1"),
        ({"ce_id": "1"}, None),
        ({}, None),
    ],
)
def test_the_delivery_id_comes_from_the_senders_headers(headers, expected) -> None:
    """The first of the known headers that is there."""
    assert delivery_id(arrival(**headers), {}) == expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"source": "/s", "id": "1"}, "/s 1"),
        ({"source": "/s"}, None),
        ({"source": 1, "id": 2}, None),
        ([], None),
    ],
)
def test_a_structured_cloud_event_has_its_id_inside(event, expected) -> None:
    """Source and id together identify it; an event without them has no id."""
    assert delivery_id(arrival(kind="application/cloudevents+json"), event) == expected


def test_a_message_without_an_id_gets_the_fresh_one() -> None:
    """Its name is the fresh id, after the parameters of the path; the trace is carried."""
    request = arrival(b"{}", traceparent="00-1-2-03")
    message = to_message(request, {"t": "acme"}, None, received_at=5, fresh_id="f")
    assert (message.id, message.default_name, message.trace) == ("f", "acme-f", "00-1-2-03")
    assert message.coordinates == "POST /hooks/x, delivery f"
    assert message.received_at == 5


def test_a_query_of_too_many_fields_is_refused() -> None:
    """As a form of so many is."""
    request = replace(arrival(b"{}"), query="&".join(["a=1"] * 1_001))
    with pytest.raises(BadBody, match="query"):
        to_message(request, {}, None, received_at=5, fresh_id="f")


def test_two_senders_never_share_a_name() -> None:
    """However their names and the ids of their deliveries divide the same text."""

    def named(*parameters: str, delivery: str) -> str:
        path = {str(place): parameter for place, parameter in enumerate(parameters)}
        request = arrival(b"{}", idempotency_key=delivery)
        return to_message(request, path, None, received_at=5, fresh_id="f").default_name

    one = [("a", "b-c"), ("a-b", "c"), ("a/b", "c"), ("a-b/c", "d"), ("a-b", "c/d")]
    assert len({named(sender, delivery=delivery) for sender, delivery in one}) == len(one)
    two = [("a", "b", "c-d"), ("a", "b-c", "d"), ("a-b", "c", "d"), ("a", "b/c-d", "e")]
    assert len({named(*sender, delivery=delivery) for *sender, delivery in two}) == len(two)

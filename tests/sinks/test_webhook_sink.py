"""The webhook sink against a receiver on loopback."""

import base64
import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import formatdate
from functools import partial

import pytest
import trio
from outlet_rig import NOW, make_notification, make_outlet
from pydantic import ValidationError
from receiver import Receiver, Reply, open_receiver
from standardwebhooks import Webhook

from gateway.errors import Gone, Unavailable
from gateway.sinks.post import open_post_client
from gateway.sinks.protocol import Outlet
from gateway.sinks.webhook import WebhookSink

OLD = "whsec_" + "b2xk" * 8
NEW = "whsec_" + "bmV3" * 8


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Who is posted to."""
    async with open_receiver() as receiver:
        yield receiver


@pytest.fixture
async def outlet() -> AsyncIterator[Outlet]:
    """What the sink may use."""
    async with open_post_client() as http:
        yield make_outlet(http, None)


def sink_to(receiver: Receiver, **settings: object) -> WebhookSink:
    """A sink that may post to loopback."""
    given = {"type": "webhook", "url": receiver.url, "allow_private": True, **settings}
    return WebhookSink.model_validate(given)


async def test_posts_the_event_as_json_under_its_id(receiver, outlet):
    """Without a template the body is the event; the id and the time of the attempt are headers."""
    notification = make_notification()
    await sink_to(receiver).send(notification, outlet)
    [request] = receiver.requests
    assert json.loads(request.body) == notification.event
    assert request.target == "/hooks/stategate?a=b"
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == "n-1"
    assert request.headers["webhook-timestamp"] == str(NOW // 1000)
    assert not {"webhook-signature", "webhook-late", "traceparent"} & request.headers.keys()


async def test_sends_what_the_template_made(receiver, outlet):
    """A ``message`` takes the place of the event; late ones and traces are told in headers."""
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    notification = make_notification(message={"text": "done"}, late=True, trace=trace)
    await sink_to(receiver, headers={"Authorization": "Bearer s3cret"}).send(notification, outlet)
    [request] = receiver.requests
    assert json.loads(request.body) == {"text": "done"}
    assert request.headers["webhook-late"] == "true"
    assert request.headers["traceparent"] == trace
    assert request.headers["authorization"] == "Bearer s3cret"


async def test_every_secret_signs_while_rotating(receiver, outlet):
    """One signature by each secret, over id, time and body, as Standard Webhooks writes it."""
    await sink_to(receiver, secret=[OLD, NEW]).send(make_notification(), outlet)
    [request] = receiver.requests
    signed = b"n-1.%d.%b" % (NOW // 1000, request.body)
    keys = [b"old" * 8, b"new" * 8]
    digests = [base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys]
    assert request.headers["webhook-signature"] == f"v1,{digests[0]} v1,{digests[1]}"


async def test_a_single_secret_needs_no_list(receiver, outlet):
    """The library for receivers finds the signature right."""
    await sink_to(receiver, secret=NEW).send(make_notification(), outlet)
    [request] = receiver.requests
    at = datetime.fromtimestamp(NOW / 1000, UTC)
    expected = Webhook(NEW).sign("n-1", at, request.body.decode())
    assert request.headers["webhook-signature"] == expected


@pytest.mark.parametrize("status", [400, 401, 404, 408, 413, 429, 500, 502, 503, 504])
async def test_other_statuses_are_tried_again(receiver, outlet, status):
    """No failure but 410 is final: what is wrong may be put right."""
    receiver.replies.append(Reply(status))
    with pytest.raises(Unavailable, match=f"answered {status}$") as failure:
        await sink_to(receiver).send(make_notification(), outlet)
    assert failure.value.retry_after is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (formatdate(NOW / 1000 + 90, usegmt=True), 90.0),
        (formatdate(NOW / 1000 - 90, usegmt=True), 0.0),
        ("soon", None),
        ("-5", None),
    ],
)
async def test_retry_after_is_read_as_seconds_or_date(receiver, outlet, header, seconds):
    """Retry-After counts from now; what cannot be read is as if it were not there."""
    receiver.replies.append(Reply(503, (("Retry-After", header),)))
    with pytest.raises(Unavailable) as failure:
        await sink_to(receiver).send(make_notification(), outlet)
    assert failure.value.retry_after == seconds


async def test_410_is_gone(receiver, outlet):
    """410 says that nothing more is wanted."""
    receiver.replies.append(Reply(410))
    with pytest.raises(Gone):
        await sink_to(receiver).send(make_notification(), outlet)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_a_failure_and_is_not_followed(receiver, outlet, status):
    """Nothing is posted to where a redirect points."""
    receiver.replies.append(Reply(status, (("Location", f"{receiver.url}/elsewhere"),)))
    with pytest.raises(Unavailable, match="redirect"):
        await sink_to(receiver).send(make_notification(), outlet)
    assert len(receiver.requests) == 1


async def test_a_receiver_that_hangs_is_given_up_in_time(receiver, outlet):
    """The timeout bounds the whole attempt."""
    receiver.replies.append(Reply(hang=True))
    with pytest.raises(Unavailable, match=r"no answer within 0\.1 s"):
        await sink_to(receiver, timeout="100ms").send(make_notification(), outlet)


@pytest.mark.parametrize("reply", [Reply(200, endless=True), Reply(200, stall=True)])
async def test_an_endless_body_does_not_matter(receiver, outlet, reply, monkeypatch):
    """Once 200 was answered it is accepted; a long or stalled body is not waited for."""
    monkeypatch.setattr("gateway.sinks.post._DRAIN_SECONDS", 0.1)
    receiver.replies.append(reply)
    await sink_to(receiver, timeout="60s").send(make_notification(), outlet)
    assert len(receiver.requests) == 1


async def test_nobody_there(receiver, outlet):
    """A refused connection is a failure to try again."""
    async with open_receiver() as gone:
        sink = sink_to(gone)
    with pytest.raises(Unavailable):
        await sink.send(make_notification(), outlet)


async def test_connections_are_reused(receiver, outlet):
    """Notifications one after the other share a connection, failures included."""
    receiver.replies.extend([Reply(500), Reply(204)])
    sink = sink_to(receiver)
    with pytest.raises(Unavailable):
        await sink.send(make_notification(), outlet)
    await sink.send(make_notification(), outlet)
    assert len(receiver.requests) == 2
    assert receiver.connections == 1


class Names(trio.abc.HostnameResolver):
    """A name service that sends every name to one address."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def getaddrinfo(self, host, port, family=0, type=0, proto=0, flags=0):  # noqa: A002
        """Every name has the address."""
        return [(trio.socket.AF_INET, trio.socket.SOCK_STREAM, 6, "", (self.address, port))]

    async def getnameinfo(self, sockaddr, flags):
        """Not asked for."""
        raise NotImplementedError


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254"])
async def test_a_name_of_a_private_address_is_refused(receiver, outlet, address):
    """It is the address connected to that counts, not what the name looks like."""
    trio.socket.set_custom_hostname_resolver(Names(address))
    url = f"http://hooks.example.com:{receiver.port}/"
    sink = sink_to(receiver, url=url, allow_private=False)
    with pytest.raises(Unavailable, match="allow_private: true"):
        await sink.send(make_notification(), outlet)
    assert not receiver.requests


async def test_a_guarded_sink_shares_no_connection_with_an_unguarded_one(receiver, outlet):
    """A connection that ``allow_private`` opened is of no use to a sink without it."""
    trio.socket.set_custom_hostname_resolver(Names("127.0.0.1"))
    url = f"http://hooks.example.com:{receiver.port}/"
    await sink_to(receiver, url=url).send(make_notification(), outlet)
    assert receiver.requests[0].headers["host"] == f"hooks.example.com:{receiver.port}"
    with pytest.raises(Unavailable, match="allow_private"):
        await sink_to(receiver, url=url, allow_private=False).send(make_notification(), outlet)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": "http://127.0.0.1/"}, "allow_private"),
        ({"url": "http://[::1]/"}, "allow_private"),
        ({"url": "http://2130706433/"}, "allow_private"),
        ({"url": "http://localhost:99/"}, "allow_private"),
        ({"url": "ftp://example.com/"}, "http"),
        ({"url": "https://me:pw@example.com/"}, "headers"),
        ({"secret": "hunter2"}, "openssl rand"),
        ({"secret": [OLD, "whsec_AAAA"]}, "openssl rand"),
        ({"secret": "whsec_é"}, "openssl rand"),
        ({"headers": {"Webhook-Id": "x"}}, "set by Stategate"),
        ({"headers": {"a b": "x"}}, "no name of an HTTP header"),
        ({"headers": {"x": "a\r\nb: c"}}, "visible ASCII"),
        ({"timeout": "2m"}, "60"),
        ({"timeout": "0s"}, "greater than 0"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    """Each wrong setting is named with what would be right."""
    with pytest.raises(ValidationError, match=message):
        WebhookSink.model_validate({"type": "webhook", "url": "https://example.com", **settings})


def test_secrets_do_not_show():
    """Neither the repr nor an error of the settings tells a secret, a header or the URL's path."""
    settings = {
        "type": "webhook",
        "url": "https://hooks.example.com/T0PATH",
        "secret": OLD,
        "headers": {"Authorization": "Bearer s3cret"},
    }
    shown = repr(WebhookSink.model_validate(settings))
    assert not [secret for secret in (OLD, "s3cret", "T0PATH") if secret in shown]


async def test_an_answer_to_nothing_accepts_nothing(nursery):
    """Where a receiver answers twice, its second answer is not the next notification's: that one is
    sent over another connection."""
    taken: list[str] = []

    async def answer(stream: trio.SocketStream) -> None:
        """Answer the first request of a connection twice, and no other."""
        request = b""
        while not request.endswith(b"}"):
            request += await stream.receive_some()
        taken.append(request.partition(b"webhook-id: ")[2].split(b"\r\n")[0].decode())
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" * 2)
        await trio.sleep_forever()

    serve = partial(trio.serve_tcp, answer, 0, host="127.0.0.1")
    [listener] = await nursery.start(serve)
    url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/"
    sink = WebhookSink.model_validate({"type": "webhook", "url": url, "allow_private": True})
    async with open_post_client() as http:
        outlet = make_outlet(http, None)
        await sink.send(make_notification(id="n-1"), outlet)
        await sink.send(make_notification(id="n-2"), outlet)
    assert taken == ["n-1", "n-2"]
    nursery.cancel_scope.cancel()

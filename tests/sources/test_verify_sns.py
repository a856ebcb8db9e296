"""What SNS sends over HTTP: subscriptions, signatures, envelopes; against a stand-in for SNS."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial

import orjson
import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from webhook_rig import open_rig

from gateway.sources.verify.sns_envelope import is_trusted

TOPIC = "arn:aws:sns:us-east-1:123456789012:orders"
NOW = datetime.fromtimestamp(1_700_000_000, UTC)
KEY = generate_private_key(65_537, 2048)


def certificate(*, days: int = 1) -> bytes:
    """A certificate of KEY that is valid around NOW, in PEM; ``days`` < 0: no longer."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=9))
        .not_valid_after(NOW + timedelta(days=days))
    )
    return made.sign(KEY, SHA256()).public_bytes(Encoding.PEM)


class StandIn:
    """SNS's side: gives out the certificate and takes confirmations."""

    def __init__(self) -> None:
        self.host = ""
        self.pem = certificate()
        self.status = 200
        self.paths: list[str] = []

    async def answer(self, stream: trio.SocketStream) -> None:
        """One request for each connection."""
        async with stream:
            head = await stream.receive_some(65_536)
            self.paths.append(head.split()[1].decode())
            line = f"HTTP/1.1 {self.status} x\r\nContent-Length: {len(self.pem)}\r\n"
            with suppress(trio.BrokenResourceError):
                await stream.send_all(line.encode() + b"Connection: close\r\n\r\n" + self.pem)

    def notification(self, message: str, **more: str) -> dict[str, str]:
        """A signed notification."""
        return self.signed({"Type": "Notification", "Message": message, "Subject": "news", **more})

    def confirmation(self, **more: str) -> dict[str, str]:
        """A signed confirmation of a subscription."""
        handshake = {
            "Type": "SubscriptionConfirmation",
            "Message": "please confirm",
            "Token": "token-1",
            "SubscribeURL": f"http://{self.host}/confirm?Token=token-1",
        }
        return self.signed({**handshake, **more})

    def signed(self, members: dict[str, str]) -> dict[str, str]:
        """An envelope whose signature is over the sorted members, as AWS documents it."""
        envelope = {
            "MessageId": "m-1",
            "TopicArn": TOPIC,
            "Timestamp": "2023-11-14T22:13:20.000Z",
            "SignatureVersion": "2",
            "SigningCertURL": f"http://{self.host}/cert.pem",
            **members,
        }
        unsigned = {"SignatureVersion", "SigningCertURL"}
        names = sorted(envelope.keys() - unsigned)
        text = "".join(f"{name}\n{envelope[name]}\n" for name in names).encode()
        digest = SHA1() if envelope["SignatureVersion"] == "1" else SHA256()
        signature = KEY.sign(text, PKCS1v15(), digest)
        return {**envelope, "Signature": base64.b64encode(signature).decode()}


@asynccontextmanager
async def open_stand_in() -> AsyncIterator[StandIn]:
    """The stand-in on a free port of loopback."""
    stand_in = StandIn()
    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, stand_in.answer, 0, host="127.0.0.1")
        [listener] = await nursery.start(serve)
        stand_in.host = f"127.0.0.1:{listener.socket.getsockname()[1]}"
        yield stand_in
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_webhook(stand_in: StandIn, **settings):
    """A webhook for TOPIC; yields the rig and how to post an envelope to it."""
    verify = {"type": "sns", "topics": [TOPIC], "hosts": [stand_in.host], **settings}
    async with open_rig() as rig, rig.source(verify=verify):

        async def post(envelope: dict[str, str]):
            return await rig.http.post(
                "/hooks/orders",
                content=orjson.dumps(envelope),
                headers={"content-type": "text/plain; charset=UTF-8"},
            )

        yield rig, post


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_notification_is_unwrapped(version: str) -> None:
    """The body is the parsed Message, its id SNS's own; the rest of the envelope is in `sns`."""
    async with open_stand_in() as sns, open_webhook(sns) as (rig, post):
        answer = await post(sns.notification('{"id": 7}', SignatureVersion=version))
        assert answer.status_code == 202
        [message] = rig.trigger.started
        assert (message.id, message.body) == ("m-1", {"id": 7})
        assert message.members["sns"]["TopicArn"] == TOPIC
        assert message.members["sns"]["Subject"] == "news"
        again = await post(sns.notification('{"id": 7}', SignatureVersion=version))
        assert again.json()["duplicate"]
        assert sns.paths == ["/cert.pem"]


async def test_a_subscription_is_confirmed() -> None:
    """By a GET on its SubscribeURL; nothing is delivered."""
    async with open_stand_in() as sns, open_webhook(sns) as (rig, post):
        answer = await post(sns.confirmation())
        assert answer.status_code == 200
        assert sns.paths == ["/cert.pem", "/confirm?Token=token-1"]
        assert rig.trigger.batches == []


async def test_the_end_of_a_subscription_is_noted() -> None:
    """It is acknowledged and not undone: somebody has unsubscribed on purpose."""
    async with open_stand_in() as sns, open_webhook(sns) as (rig, post):
        answer = await post(sns.confirmation(Type="UnsubscribeConfirmation"))
        assert answer.status_code == 200
        assert sns.paths == ["/cert.pem"]
        assert rig.trigger.batches == []


async def test_sns_gone_means_later() -> None:
    """Nothing listens where the certificate should be: 503, and SNS sends it again."""
    async with open_stand_in() as sns, open_webhook(sns, hosts=["127.0.0.1:1"]) as (_, post):
        sns.host = "127.0.0.1:1"
        assert (await post(sns.notification("x"))).status_code == 503


async def test_a_message_without_a_subject_or_json() -> None:
    """The Subject may be missing; a Message that is no JSON is a string."""
    async with open_stand_in() as sns, open_webhook(sns) as (rig, post):
        envelope = sns.signed({"Type": "Notification", "Message": "hello"})
        assert (await post(envelope)).status_code == 202
        assert rig.trigger.started[0].body == "hello"


async def test_forgeries_are_refused() -> None:
    """Another topic, another text, another host for the certificate or the confirmation: 401."""
    async with open_stand_in() as sns, open_webhook(sns) as (rig, post):
        forgeries = [
            sns.notification("x", TopicArn=TOPIC + "-other"),
            {**sns.notification("x"), "Message": "y"},
            {**sns.notification("x"), "Signature": "*"},
            sns.notification("x", SigningCertURL="https://sns.evil.com/cert.pem"),
            sns.confirmation(SubscribeURL="http://127.0.0.1:1/confirm"),
            {"Type": "Notification"},
            {},
        ]
        answers = [(await post(forgery)).status_code for forgery in forgeries]
        assert answers == [401] * len(forgeries)
        assert rig.trigger.batches == []
        assert "/confirm" not in sns.paths


async def test_a_certificate_that_is_none_or_too_old() -> None:
    """What was fetched must be a certificate that is valid now."""
    for pem in (b"no certificate", certificate(days=-1)):
        async with open_stand_in() as sns, open_webhook(sns) as (_, post):
            sns.pem = pem
            assert (await post(sns.notification("x"))).status_code == 401


async def test_sns_out_of_reach_means_later() -> None:
    """503 with Retry-After: SNS sends it again, and then it is taken."""
    async with open_stand_in() as sns, open_webhook(sns) as (_, post):
        sns.status = 500
        answer = await post(sns.notification("x"))
        assert answer.status_code == 503
        assert "retry-after" in answer.headers
        sns.status = 200
        assert (await post(sns.notification("x"))).status_code == 202
        sns.status = 302
        assert (await post(sns.confirmation())).status_code == 503


async def test_a_certificate_of_any_length_is_not_read() -> None:
    """What claims to be a certificate is read up to a limit."""
    async with open_stand_in() as sns, open_webhook(sns) as (_, post):
        sns.pem = b"x" * 1_000_000
        assert (await post(sns.notification("x"))).status_code == 503


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem", True),
        ("https://sns.us-east-1.amazonaws.com:443/x.pem", True),
        ("https://sns.cn-north-1.amazonaws.com.cn/x.pem", True),
        ("http://sns.us-east-1.amazonaws.com/x.pem", False),
        ("https://sns.us-east-1.amazonaws.com:8443/x.pem", False),
        ("https://sns.us-east-1.amazonaws.com@evil.com/x.pem", False),
        ("https://user@sns.us-east-1.amazonaws.com/x.pem", False),
        ("https://sns.us-east-1.amazonaws.com.evil.com/x.pem", False),
        ("https://evil.com/sns.us-east-1.amazonaws.com", False),
        ("https://sns.us-east-1.amazonaws.com:x/x.pem", False),
        ("https://s3.us-east-1.amazonaws.com/x.pem", False),
        ("http://127.0.0.1:9/x.pem", True),
        ("http://127.0.0.1:99/x.pem", False),
        ("ftp://127.0.0.1:9/x.pem", False),
        ("", False),
    ],
)
def test_only_sns_is_trusted(url: str, trusted: bool) -> None:
    """SNS at AWS over HTTPS, and the stand-ins that the settings name."""
    assert is_trusted(url, ("127.0.0.1:9",)) is trusted

"""The envelope in which SNS sends: its members, what is signed, whether a signature fits. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlsplit

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.json_text import loads
from gateway.sources.verify.verdict import Unwrapped

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

Json: TypeAlias = Any

_AWS_HOST = re.compile(r"sns\.[a-z0-9-]{3,32}\.amazonaws\.com(\.cn)?", re.ASCII)
_SIGNED_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_SIGNED_HANDSHAKE = (
    "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
)  # fmt: skip


class BadEnvelope(ValueError):
    """The body is no message of SNS."""


class Envelope(BaseModel):
    """A message as SNS posts it; the member names are SNS's own."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    Type: Literal["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"]
    MessageId: str = Field(min_length=1)
    TopicArn: str
    Message: str
    Timestamp: str
    SignatureVersion: Literal["1", "2"]
    Signature: str
    SigningCertURL: str
    Subject: str | None = None
    Token: str | None = None
    SubscribeURL: str | None = None
    MessageAttributes: dict[str, Json] = Field(default_factory=dict)

    def signed_text(self) -> bytes:
        """What the signature is over: sorted ``key\\nvalue\\n`` of the members that are there."""
        names = _SIGNED_NOTIFICATION if self.Type == "Notification" else _SIGNED_HANDSHAKE
        values = ((name, getattr(self, name)) for name in names)
        return "".join(f"{name}\n{value}\n" for name, value in values if value is not None).encode()

    def is_signed_by(self, certificate: Certificate) -> bool:
        """Whether the certificate's key made the signature."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.hashes import SHA1, SHA256

        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey):
            return False
        digest = SHA1() if self.SignatureVersion == "1" else SHA256()
        try:
            signature = base64.b64decode(self.Signature, validate=True)
            key.verify(signature, self.signed_text(), PKCS1v15(), digest)
        except (InvalidSignature, binascii.Error):
            return False
        return True

    def unwrapped(self) -> Unwrapped:
        """What is inside: the Message parsed where it is JSON."""
        about = {
            "TopicArn": self.TopicArn,
            "MessageId": self.MessageId,
            "Subject": self.Subject,
            "Timestamp": self.Timestamp,
            "MessageAttributes": self.MessageAttributes,
        }
        return Unwrapped(self.MessageId, _json_or_text(self.Message), {"sns": about})


def parse_envelope(body: bytes) -> Envelope:
    """Raises BadEnvelope."""
    try:
        return Envelope.model_validate(loads(body))
    except orjson.JSONDecodeError as error:
        raise BadEnvelope(f"the body is not JSON: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the body"
        raise BadEnvelope(f"no message of SNS: {place}: {first['msg']}") from None


def is_trusted(url: str, hosts: tuple[str, ...]) -> bool:
    """Whether a URL leads to SNS at AWS over HTTPS, or to one of the ``host:port`` named."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if parts.username is not None or parts.password is not None:
        return False
    if parts.netloc in hosts:
        return parts.scheme in {"http", "https"}
    at_aws = _AWS_HOST.fullmatch(parts.hostname or "") is not None
    return parts.scheme == "https" and at_aws and port in {None, 443}


def _json_or_text(message: str) -> Json:
    try:
        return loads(message)
    except orjson.JSONDecodeError:
        return message

"""Signatures over the raw body: GitHub's, the Standard Webhooks' and a plain HMAC in a header."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Literal

from pydantic import Field, field_validator

from gateway.sources.verify.secrets import Secrets, is_one_of
from gateway.sources.verify.verdict import Arrival, Forged, Genuine
from gateway.strict import Strict


class Hmac(Strict):
    """An HMAC of the raw body stands in a header."""

    type: Literal["hmac"]
    """`hmac`"""
    secret: Secrets
    """The shared secret, or a list of them while one is being replaced."""
    header: str = Field(min_length=1)
    """Name of the header that carries the signature."""
    algorithm: Literal["sha1", "sha256", "sha384", "sha512"] = "sha256"
    """Hash function of the HMAC."""
    encoding: Literal["hex", "base64"] = "hex"
    """How the signature is written."""
    prefix: str = ""
    """What stands before the signature, as in `sha256=`."""

    def check(self, arrival: Arrival) -> Genuine | Forged:
        """Whether one of the secrets makes the signature that the header has."""
        given = arrival.headers.get(self.header.lower())
        if given is None:
            return Forged(f"the header {self.header} is missing")
        if not given.startswith(self.prefix):
            return Forged(f"the header {self.header} does not begin with {self.prefix}")
        signature = given.removeprefix(self.prefix)
        written = signature.lower() if self.encoding == "hex" else signature
        expected = [self._sign(one.get_secret_value(), arrival.body) for one in self.secret]
        if is_one_of(written.encode(), expected):
            return Genuine()
        return Forged(f"the signature in {self.header} is of another secret or another body")

    def _sign(self, secret: str, body: bytes) -> bytes:
        digest = hmac.digest(secret.encode(), body, self.algorithm)
        return digest.hex().encode() if self.encoding == "hex" else base64.b64encode(digest)


class Github(Strict):
    """GitHub's signature: `X-Hub-Signature-256`."""

    type: Literal["github"]
    """`github`"""
    secret: Secrets
    """The webhook's secret, or a list of them while one is being replaced."""

    def check(self, arrival: Arrival) -> Genuine | Forged:
        """GitHub's scheme is a plain HMAC with a prefix."""
        scheme = Hmac(
            type="hmac", secret=self.secret, header="X-Hub-Signature-256", prefix="sha256="
        )
        return scheme.check(arrival)


class StandardWebhooks(Strict):
    """The Standard Webhooks' signature; one with a timestamp over five minutes off is refused."""

    type: Literal["standard-webhooks"]
    """`standard-webhooks`"""
    secret: Secrets
    """`whsec_` and base64, or a list of them while one is being replaced."""

    @field_validator("secret")
    @classmethod
    def _decodable(cls, secrets: Secrets) -> Secrets:
        for secret in secrets:
            encoded = secret.get_secret_value().removeprefix("whsec_").rstrip("=")
            try:
                key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
            except binascii.Error:
                key = b""
            if not key:
                raise ValueError("must be `whsec_` followed by base64")
        return secrets

    def check(self, arrival: Arrival) -> Genuine | Forged:
        """Whether one of the secrets signed id, timestamp and body."""
        reasons = [self._verify(one.get_secret_value(), arrival) for one in self.secret]
        return Genuine() if None in reasons else Forged(str(reasons[0]))

    @staticmethod
    def _verify(secret: str, arrival: Arrival) -> str | None:
        from standardwebhooks import Webhook, WebhookVerificationError

        try:
            Webhook(secret).verify(arrival.body, dict(arrival.headers), json_parse=False)
        except WebhookVerificationError as error:
            return str(error)
        except ValueError:
            # The library lets malformed signatures and bodies that are no UTF-8 through as these.
            return "the signature headers or the body are malformed"
        return None

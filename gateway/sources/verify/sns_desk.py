"""Checks what SNS sends: fetches certificates, confirms subscriptions, opens envelopes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import trio
from structlog.stdlib import BoundLogger

from gateway.errors import Unavailable
from gateway.sources.verify.sns import Sns
from gateway.sources.verify.sns_envelope import BadEnvelope, Envelope, is_trusted, parse_envelope
from gateway.sources.verify.verdict import Arrival, Check, Forged, Handled, Unwrapped

if TYPE_CHECKING:
    import httpx
    from cryptography.x509 import Certificate

_FETCH_SECONDS = 5.0
_AGAIN_SECONDS = 30.0
_MOST_BYTES = 65_536
_MOST_CERTIFICATES = 16


@asynccontextmanager
async def sns_check(sns: Sns, now: Callable[[], int], log: BoundLogger) -> AsyncIterator[Check]:
    """The check for the topics of ``sns``, with a client for as long as it is used."""
    import httpx

    async with httpx.AsyncClient(timeout=_FETCH_SECONDS, follow_redirects=False) as http:
        yield SnsDesk(sns, http, now, log).check


class SnsDesk:
    """Judges requests that should come from SNS."""

    def __init__(
        self, sns: Sns, http: httpx.AsyncClient, now: Callable[[], int], log: BoundLogger
    ) -> None:
        self._sns = sns
        self._http = http
        self._now = now
        self._log = log
        self._certificates: dict[str, Certificate] = {}

    async def check(self, arrival: Arrival) -> Unwrapped | Handled | Forged:
        """Raises Unavailable when the certificate or the confirmation is out of reach."""
        try:
            envelope = parse_envelope(arrival.body)
        except BadEnvelope as error:
            return Forged(str(error))
        if envelope.TopicArn not in self._sns.topics:
            return Forged(f"the topic {envelope.TopicArn} is not among those configured")
        if not is_trusted(envelope.SigningCertURL, self._sns.hosts):
            return Forged("SigningCertURL does not lead to SNS")
        certificate = await self._certificate(envelope.SigningCertURL)
        if certificate is None or not envelope.is_signed_by(certificate):
            return Forged("the signature does not fit")
        return await self._open(envelope)

    async def _open(self, envelope: Envelope) -> Unwrapped | Handled | Forged:
        match envelope.Type:
            case "Notification":
                return envelope.unwrapped()
            case "SubscriptionConfirmation":
                return await self._confirm(envelope)
            case "UnsubscribeConfirmation":
                self._log.warning("topic unsubscribed", topic=envelope.TopicArn)
                return Handled("the end of the subscription is noted")

    async def _confirm(self, envelope: Envelope) -> Handled | Forged:
        url = envelope.SubscribeURL or ""
        if not is_trusted(url, self._sns.hosts):
            return Forged("SubscribeURL does not lead to SNS")
        await self._get(url)
        self._log.info("topic subscribed", topic=envelope.TopicArn)
        return Handled("the subscription is confirmed")

    async def _certificate(self, url: str) -> Certificate | None:
        """The certificate at the URL, None if it is none or its time is not now."""
        from cryptography.x509 import load_pem_x509_certificate

        certificate = self._certificates.get(url)
        if certificate is None:
            pem = await self._get(url)
            try:
                certificate = load_pem_x509_certificate(pem)
            except ValueError:
                return None
            self._keep(url, certificate)
        today = datetime.fromtimestamp(self._now() / 1000, UTC)
        valid = certificate.not_valid_before_utc <= today <= certificate.not_valid_after_utc
        return certificate if valid else None

    def _keep(self, url: str, certificate: Certificate) -> None:
        """SNS changes its certificate about once a year: the oldest is dropped."""
        if len(self._certificates) >= _MOST_CERTIFICATES:
            del self._certificates[next(iter(self._certificates))]
        self._certificates[url] = certificate

    async def _get(self, url: str) -> bytes:
        """What is at the URL, within bounds of time and size."""
        import httpx

        try:
            with trio.fail_after(_FETCH_SECONDS):
                status, body = await self._fetch(url)
        except (httpx.HTTPError, httpx.InvalidURL, trio.TooSlowError) as error:
            raise Unavailable(f"SNS cannot be reached: {error}", _AGAIN_SECONDS) from error
        if status != 200:
            raise Unavailable(f"SNS answered {status}", _AGAIN_SECONDS)
        if len(body) > _MOST_BYTES:
            raise Unavailable("SNS answered with more than was expected", _AGAIN_SECONDS)
        return bytes(body)

    async def _fetch(self, url: str) -> tuple[int, bytearray]:
        body = bytearray()
        async with self._http.stream("GET", url) as response:
            async for chunk in response.aiter_bytes():
                # What is too much is read, for httpx leaves its generators open at a break.
                if len(body) <= _MOST_BYTES:
                    body += chunk
        return response.status_code, body

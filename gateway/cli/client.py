"""The daemon as the command line sees it: AWS's operations and Stategate's own, over HTTP."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeAlias

from gateway.cli.output import fail

Json: TypeAlias = Any

_SECONDS = 60.0


class Client:
    """Calls a running daemon. What goes wrong ends the command with a sentence that helps."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint.rstrip("/")

    def aws(self, operation: str, **members: Json) -> dict[str, Json]:
        """An operation of AWS Step Functions; members that are None are left out."""
        return self._call(f"AWSStepFunctions.{operation}", members)

    def own(self, operation: str, **members: Json) -> dict[str, Json]:
        """An operation of Stategate's own."""
        return self._call(f"Stategate.{operation}", members)

    def own_pages(self, operation: str, member: str, limit: int, **members: Json) -> Iterator[Json]:
        """Up to ``limit`` elements of the listing's ``member``, page by page."""
        token = None
        while limit > 0:
            size = min(limit, 1_000)
            page = self.own(operation, **members, maxResults=size, nextToken=token)
            yield from page[member]
            limit -= len(page[member])
            token = page.get("nextToken")
            if token is None:
                return

    def aws_pages(self, operation: str, member: str, **members: Json) -> Iterator[Json]:
        """All elements of an AWS listing's ``member``, page by page."""
        token = None
        while True:
            page = self.aws(operation, **members, maxResults=1_000, nextToken=token)
            yield from page[member]
            token = page.get("nextToken")
            if token is None:
                return

    def _call(self, target: str, members: dict[str, Json]) -> dict[str, Json]:
        import httpx

        given = {name: value for name, value in members.items() if value is not None}
        body = json.dumps(given).encode()
        try:
            headers = {
                "host": httpx.URL(self.endpoint).netloc.decode(),
                "x-amz-target": target,
                "content-type": "application/x-amz-json-1.0",
            }
            headers |= _signed(headers, body)
            # No proxy of the environment stands between this command and its daemon.
            with httpx.Client(timeout=_SECONDS, trust_env=False) as http:
                answer = http.post(self.endpoint, content=body, headers=headers)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            fail(f"{self.endpoint} is no URL: write --endpoint http://HOST:PORT")
        except httpx.TransportError as error:
            fail(
                f"no daemon answers at {self.endpoint} ({str(error) or type(error).__name__}).\n"
                "Start one with `stategate run CONFIG`, or say where it listens with --endpoint "
                "or STATEGATE_ENDPOINT."
            )
        return self._read(answer)

    def _read(self, answer: Any) -> dict[str, Json]:
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict) or (answer.status_code != 200 and "__type" not in body):
            fail(
                f"{self.endpoint} is not Stategate's API: it answered {answer.status_code}.\n"
                "Say with --endpoint or STATEGATE_ENDPOINT where that is: api.listen in the "
                "configuration of the daemon."
            )
        if answer.status_code != 200:
            code = str(body["__type"]).rpartition("#")[2]
            if code == "MissingAuthenticationTokenException":
                fail(
                    f"{self.endpoint} asks for a signature: set AWS_ACCESS_KEY_ID and "
                    "AWS_SECRET_ACCESS_KEY to one of api.credentials"
                )
            fail(f"{code}: {body['message']}" if body.get("message") else code)
        return body


def _signed(headers: dict[str, str], body: bytes) -> dict[str, str]:
    """The headers that sign a request, where the environment has credentials."""
    key, secret = (os.environ.get(f"AWS_{n}") for n in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))
    if not (key and secret):
        return {}
    from gateway.api.signatures import sign
    from gateway.daemon.clock import now

    region = os.environ.get("AWS_REGION", "us-east-1")
    return sign(key, secret, region, headers, body, datetime.fromtimestamp(now() / 1000, UTC))

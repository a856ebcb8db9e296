"""One AWS service at one place, as sources and sinks see it: what does not answer is Unavailable,
what says no is a Refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import trio

from gateway.aws.client import Aws
from gateway.aws.failures import NoAws
from gateway.errors import Unavailable
from gateway.http.sizes import TooLarge

if TYPE_CHECKING:
    from gateway.aws.connections import Reply

_MOST_BYTES: Final = 24 * 1024 * 1024
"""Of an answer. Ten messages of SQS have 1 MiB each, and twice that where all of it is quotes."""
_NO_CREDENTIALS: Final = (
    "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role"
)


class Refusal(Exception):
    """The service said no."""

    def __init__(self, code: str, message: str, retry_after: str | None) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
        self.retry_after = (
            float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
        )
        """Seconds, where it said so."""


class AwsService:
    """Region, credentials and endpoint come from the standard AWS environment and profile; what is
    given here overrides them. Nothing is tried again: who calls must see each failure."""

    def __init__(self, aws: Aws, name: str, region: str | None, endpoint_url: str | None) -> None:
        """``name`` is the service's as botocore has it."""
        self._aws = aws
        self._name = name
        self._region = region
        self._endpoint_url = endpoint_url

    async def post(self, headers: Mapping[str, str], body: bytes, seconds: float) -> Reply:
        """One signed POST; whatever status was answered. Raises Unavailable where there is no
        answer within ``seconds``."""
        from gateway.aws.connections import Unanswered

        try:
            with trio.fail_after(seconds):
                return await self._aws.post(
                    self._name,
                    self._region,
                    "/",
                    headers,
                    body,
                    endpoint_url=self._endpoint_url,
                    most_bytes=_MOST_BYTES,
                )
        except trio.TooSlowError:
            raise Unavailable(f"no answer within {seconds:g} s") from None
        except NoAws as failure:
            lacking = "credentials" in str(failure)
            raise Unavailable(_NO_CREDENTIALS if lacking else str(failure)) from None
        except Unanswered as failure:
            raise Unavailable(str(failure)) from None
        except TooLarge:
            raise Unavailable(f"the answer has more than {_MOST_BYTES} bytes") from None

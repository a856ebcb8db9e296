"""What the sinks of AWS services share: a client built when needed, and one edge for its errors."""

from __future__ import annotations

import hashlib
import re
from threading import Lock
from typing import Any

from gateway.errors import Rejected, Unavailable
from gateway.sinks.protocol import Notification

_CONNECT_SECONDS = 5
_READ_SECONDS = 15
_MAX_CONNECTIONS = 32
_GROUP = re.compile(r"[\x21-\x7e]{1,128}")
_OF_THIS_MESSAGE = frozenset(
    {"InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid", "ValidationError"}
)


class AwsClient:
    """A boto3 client that is built on first use, in the thread that needs it.

    Region, credentials and endpoint come from the standard AWS environment and profile; what is
    given here overrides them. botocore does not retry: the outbox does, and must see each failure.
    """

    def __init__(self, service: str, region: str | None, endpoint_url: str | None) -> None:
        self._service = service
        self._region = region
        self._endpoint_url = endpoint_url
        self._lock = Lock()
        self._client: Any = None

    def call(self, operation: str, fallback_region: str, arguments: dict[str, Any]) -> Any:
        """Blocks: call it in a thread. ``operation`` is the client's method, as ``publish``;
        ``fallback_region`` counts where neither settings nor environment name a region.
        Raises Unavailable and Rejected."""
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            with self._lock:
                if self._client is None:
                    self._client = self._build(fallback_region)
            answer = getattr(self._client, operation)(**arguments)
        except ClientError as failure:
            raise _judge(failure.response) from None
        except (BotoCoreError, ResponseParserError) as failure:
            raise Unavailable(f"{type(failure).__name__}: {failure}") from None
        except KeyError as failure:
            # How botocore fails at XML that is not of this operation.
            raise Unavailable(f"the answer has no {failure}: that was not AWS") from None
        if "MessageId" not in answer:
            # botocore takes any body of a 200 for an answer, also a proxy's page.
            raise Unavailable("answered without a MessageId: that was not AWS, or not all of it")
        return answer

    def _build(self, fallback_region: str) -> Any:
        import boto3
        from botocore.config import Config

        session = boto3.Session()
        return session.client(
            self._service,
            region_name=self._region or session.region_name or fallback_region,
            endpoint_url=self._endpoint_url,
            config=Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                max_pool_connections=_MAX_CONNECTIONS,
                retries={"total_max_attempts": 1},
            ),
        )


def _judge(response: Any) -> Unavailable | Rejected:
    """What an error answer means. Only what is wrong with the very message is final: a missing
    topic or right is usually put right by somebody, and the message is still wanted then."""
    error = response.get("Error", {})
    code, text = str(error.get("Code", "")), str(error.get("Message", ""))
    reason = f"{code}: {text}" if text else code
    if code == "InvalidMessageContents" or (code in _OF_THIS_MESSAGE and "message" in text.lower()):
        return Rejected(reason)
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    retry_after = str(headers.get("retry-after", ""))
    return Unavailable(reason, float(retry_after) if retry_after.isdecimal() else None)


def group_id(notification: Notification) -> str:
    """The message group on FIFO queues and topics: what is to stay in order, the execution or a
    letter's trigger. Its SHA-256 where it is over their 128 characters or is not visible ASCII."""
    event = notification.event
    wanted = str(event["detail"]["executionArn"] if "detail" in event else event["trigger"])
    return wanted if _GROUP.fullmatch(wanted) else hashlib.sha256(wanted.encode()).hexdigest()

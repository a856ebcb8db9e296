"""The calls of SQS, in AWS's JSON protocol."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from gateway.aws.service import AwsService, Refusal
from gateway.errors import Unavailable
from gateway.json_text import loads

if TYPE_CHECKING:
    from gateway.aws.client import Aws
    from gateway.aws.connections import Reply

_AT_AWS: Final = re.compile(r"https?://sqs\.([a-z0-9-]+)\.amazonaws\.com")


class Sqs:
    """What can be asked of one queue."""

    def __init__(
        self, aws: Aws, queue_url: str, region: str | None, endpoint_url: str | None
    ) -> None:
        """Without ``region``, that of a queue at AWS is in its URL."""
        at_aws = _AT_AWS.match(queue_url)
        region = region or (at_aws[1] if at_aws else None)
        self._queue_url = queue_url
        self._service = AwsService(aws, "sqs", region, endpoint_url)

    async def call(self, operation: str, seconds: float, **members: Any) -> dict[str, Any]:
        """The answer of an operation, as ``ReceiveMessage``, with SQS's own names of members.

        Raises Refusal; and Unavailable where there is no answer of SQS within ``seconds``.
        """
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"AmazonSQS.{operation}",
        }
        body = orjson.dumps({"QueueUrl": self._queue_url, **members})
        reply = await self._service.post(headers, body, seconds)
        answer = _document(reply)
        if reply.status >= 300:
            raise _refusal(reply, answer or {})
        if answer is None:
            raise Unavailable("the answer is no JSON: that was not SQS, or not all of it")
        return answer


def _document(reply: Reply) -> dict[str, Any] | None:
    try:
        answer = loads(reply.body or b"{}")
    except orjson.JSONDecodeError:
        return None
    return answer if isinstance(answer, dict) else None


def _refusal(reply: Reply, answer: dict[str, Any]) -> Refusal:
    # The header has the code that SQS had before it spoke JSON, which most tools still show.
    code = (reply.header("x-amzn-query-error") or "").partition(";")[0]
    code = code or str(answer.get("__type", f"status {reply.status}")).rpartition("#")[2]
    message = str(answer.get("message") or answer.get("Message") or "")
    return Refusal(code, message, reply.header("retry-after"))

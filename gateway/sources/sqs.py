"""The source ``sqs``: messages of an SQS queue, standard or FIFO."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gateway.sources.protocol import Intake
from gateway.sources.sqs_work import run_queue
from gateway.strict import Strict


class SqsSource(Strict):
    """Receives from an SQS queue by long polling and deletes a message when its outcome is on disk.

    The message has `attributes` and `message_attributes`; its `body` is the parsed JSON or the text
    (the envelope of an SNS subscription is left as it is). Its id is the MessageId. A FIFO queue
    keeps the order of starts within a message group."""

    usual_concurrency: ClassVar[int] = 64

    type: Literal["sqs"]
    """`sqs`"""
    queue_url: Annotated[
        str,
        Field(
            pattern=r"^https?://[^/]+/.+",
            examples=["https://sqs.us-east-1.amazonaws.com/123456789012/orders"],
        ),
    ]
    """URL of the queue, as `GetQueueUrl` gives it."""
    batch_size: Annotated[int, Field(ge=1, le=10)] = 10
    """Messages of one receive call, at most."""
    wait_seconds: Annotated[int, Field(ge=0, le=20)] = 20
    """How long a receive call waits for a message."""
    receivers: Annotated[int, Field(ge=1, le=32)] = 1
    """Receive calls at a time."""
    region: str | None = None
    """Region of the queue; without it, the AWS environment's, then the configuration's."""
    endpoint_url: (
        Annotated[str, Field(pattern=r"^https?://[^/]+", examples=["http://127.0.0.1:5000"])] | None
    ) = None
    """Where SQS is, if not at AWS; without it, that of the AWS environment."""

    async def run(self, intake: Intake) -> None:
        """Receive, deliver and delete until cancelled."""
        await run_queue(self, intake)

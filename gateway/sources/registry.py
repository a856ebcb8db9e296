"""Every kind of source there is; a new one adds its name here."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from gateway.sources.kafka import KafkaSource
from gateway.sources.sqs import SqsSource
from gateway.sources.webhook import WebhookSource

SourceSettings: TypeAlias = Annotated[
    SqsSource | KafkaSource | WebhookSource, Field(discriminator="type")
]
"""What ``source:`` of a trigger may say."""

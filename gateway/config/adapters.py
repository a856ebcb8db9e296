"""Every kind of source, sink and function that a configuration may name; a new source or sink adds
its name here."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from gateway.sinks.sns import SnsSink
from gateway.sinks.sqs import SqsSink
from gateway.sinks.webhook import WebhookSink
from gateway.sources.kafka import KafkaSource
from gateway.sources.sqs import SqsSource
from gateway.sources.webhook import WebhookSource
from gateway.tasks.connection import AnyConnection
from gateway.tasks.functions.registry import AnyFunction

SourceSettings: TypeAlias = Annotated[
    SqsSource | KafkaSource | WebhookSource, Field(discriminator="type")
]
"""What ``source:`` of a trigger may say."""

SinkTarget: TypeAlias = Annotated[SnsSink | SqsSink | WebhookSink, Field(discriminator="type")]
"""What ``to:`` of a sink may say."""

DeadLetterTarget: TypeAlias = Annotated[SnsSink | SqsSink, Field(discriminator="type")]
"""What ``dead_letter:`` of a trigger may say."""

FunctionSettings: TypeAlias = AnyFunction
"""What an entry of ``functions:`` may say."""

ConnectionSettings: TypeAlias = AnyConnection
"""What an entry of ``connections:`` may say."""

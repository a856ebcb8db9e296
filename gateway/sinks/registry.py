"""Every kind of sink there is; a new one adds its name here."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from gateway.sinks.sns import SnsSink
from gateway.sinks.sqs import SqsSink
from gateway.sinks.webhook import WebhookSink

SinkTarget: TypeAlias = Annotated[SnsSink | WebhookSink, Field(discriminator="type")]
"""What ``to:`` of a sink may say."""

DeadLetterTarget: TypeAlias = Annotated[SnsSink | SqsSink, Field(discriminator="type")]
"""What ``dead_letter:`` of a trigger may say."""

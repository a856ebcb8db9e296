"""What SNS sends over HTTP(S): settings for confirming subscriptions and checking signatures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gateway.strict import Strict

_TOPIC = r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+(\.fifo)?$"
_EXAMPLE = "arn:aws:sns:us-east-1:123456789012:orders"


class Sns(Strict):
    """Messages of SNS topics: confirms subscriptions, checks signatures, unwraps envelopes."""

    type: Literal["sns"]
    """`sns`"""
    topics: tuple[Annotated[str, Field(pattern=_TOPIC, examples=[_EXAMPLE])], ...] = Field(
        min_length=1
    )
    """ARNs of the topics that may send here; any other is refused."""
    hosts: tuple[str, ...] = ()
    """`host:port` of local stand-ins for SNS that are trusted besides AWS's own hosts, over plain
    HTTP too. Leave it out in production."""

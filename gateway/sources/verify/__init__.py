"""How a webhook's sender proves itself: one settings class for each scheme.

The check is over the raw bytes, before anything is parsed; comparisons take constant time.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from gateway.sources.verify.credentials import Basic, Bearer
from gateway.sources.verify.signatures import Github, Hmac, StandardWebhooks
from gateway.sources.verify.sns import Sns

Verify: TypeAlias = Annotated[
    Github | StandardWebhooks | Hmac | Bearer | Basic | Sns, Field(discriminator="type")
]

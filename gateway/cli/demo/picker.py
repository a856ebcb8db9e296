"""The demo's activity worker: takes a moment over each order, and beats while it does."""

from __future__ import annotations

import time
from typing import Any

from gateway.worker import Context, run


def pick(order: dict[str, Any], _context: Context) -> list[dict[str, Any]]:
    """Fetch the items of an order."""
    time.sleep(1.2)
    return [{"item": item, "shelf": len(item)} for item in order["items"]]


run(pick, heartbeat_seconds=0.5)

"""The workers of fulfilment.yaml; ``python -m fulfilment.workers pick-item`` is one of them."""

from __future__ import annotations

import sys
import time
from typing import Any

from gateway.worker import Context, run

SOLD_OUT = {"unicorn"}
SECONDS_OF_WORK = 0.2


class OutOfStock(Exception):
    """There is nothing left of the item."""


def pick_item(task: dict[str, Any], _: Context) -> dict[str, Any]:
    """Fetch one item of an order from its shelf."""
    time.sleep(SECONDS_OF_WORK)
    if task["item"] in SOLD_OUT:
        raise OutOfStock(f"no {task['item']} is left for order {task['order']}")
    return {"item": task["item"], "shelf": len(task["item"])}


def pack_parcel(task: dict[str, Any], _: Context) -> dict[str, Any]:
    """Pack what was picked, and say what is in the parcel."""
    time.sleep(SECONDS_OF_WORK)
    contents = [picked["item"] for picked in task["picked"]]
    return {"order": task["order"], "sent": True, "parcel": f"P-{task['order']}", "items": contents}


ACTIVITIES = {"pick-item": pick_item, "pack-parcel": pack_parcel}

if __name__ == "__main__":
    run(ACTIVITIES[sys.argv[1]])

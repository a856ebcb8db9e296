"""The far sides of the three sinks: they remember what they were told, and ail now and then."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from random import Random

from tests.stand_ins.server import Fault, PartOf, Refusal, StandIn
from tests.stand_ins.sns import Sns
from tests.stand_ins.sqs import SqsStandIn
from tests.stand_ins.webhooks import Webhooks

FINAL = {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}
TOPIC = "arn:aws:sns:us-east-1:123456789012:ended"
_AILMENTS: dict[str, list[tuple[float, Fault | Refusal]]] = {
    # Far sides that are AWS's hang only rarely: the client waits for fifteen seconds.
    "sns": [(0.01, Fault.RESET), (0.01, Fault.LOST), (0.01, Refusal("Throttled", 429))],
    "sqs": [(0.01, Fault.RESET), (0.01, Fault.LOST), (0.01, Refusal("ServiceUnavailable", 503))],
    "webhook": [
        (0.01, Fault.RESET),
        (0.01, Fault.LOST),
        (0.01, Fault.DOUBLED),
        (0.01, Refusal("no", 500)),
        (0.002, Fault.HANG),
        (0.002, Fault.LATE),
    ],
}


class Told:
    """What each sink was told of each execution: (notification's id, status), as it came."""

    def __init__(self) -> None:
        self.arrivals: dict[str, dict[str, list[tuple[str, str]]]] = {}
        self._ended: dict[str, set[str]] = defaultdict(set)
        self._lock = threading.Lock()

    def hear(self, sink: str, body: str, identity: str | None = None) -> None:
        """One notification; ``identity`` is the id outside its body, where there is one."""
        event = json.loads(body)
        name, status = event["detail"]["name"], event["detail"]["status"]
        with self._lock:
            of_sink = self.arrivals.setdefault(sink, {})
            of_sink.setdefault(name, []).append((identity or event["id"], status))
            if status in FINAL:
                self._ended[sink].add(name)

    def ended(self) -> int:
        """Executions of whose end every sink has heard, or nearly: the slowest sink's number."""
        with self._lock:
            return min((len(names) for names in self._ended.values()), default=0)

    def untold(self, sink: str, names: set[str]) -> set[str]:
        """Those of whose end the sink has not heard."""
        with self._lock:
            return names - self._ended[sink]


def open_sinks(names: list[str], told: Told, dice: Random, stack: ExitStack) -> dict[str, str]:
    """Start the far sides; the YAML of each sink's ``to``."""
    made = {"sns": _sns, "sqs": _sqs, "webhook": _webhook}
    shown = {}
    for name in names:
        stand_in, to = made[name](told)
        stand_in.plan = _ailing(_AILMENTS[name], Random(dice.random()))
        stack.enter_context(stand_in)
        shown[name] = to(stand_in)
    return shown


def _sns(told: Told) -> tuple[StandIn, Callable[[StandIn], str]]:
    def to(stand_in: StandIn) -> str:
        return f'{{ type: sns, topic_arn: "{TOPIC}", endpoint_url: "{stand_in.url}" }}'

    return StandIn(Sns(lambda _topic, body: told.hear("sns", body))), to


def _sqs(told: Told) -> tuple[StandIn, Callable[[StandIn], str]]:
    def to(stand_in: StandIn) -> str:
        url = stand_in.url
        return f'{{ type: sqs, queue_url: "{url}/123456789012/ended", endpoint_url: "{url}" }}'

    return SqsStandIn(heard=lambda _queue, body: told.hear("sqs", body)), to


def _webhook(told: Told) -> tuple[StandIn, Callable[[StandIn], str]]:
    def to(stand_in: StandIn) -> str:
        return f'{{ type: webhook, url: "{stand_in.url}", allow_private: true, timeout: 1s }}'

    return StandIn(Webhooks(lambda identity, body: told.hear("webhook", body, identity))), to


def _ailing(
    ailments: list[tuple[float, Fault | Refusal]], dice: Random
) -> Callable[[str, int], Fault | Refusal | PartOf | None]:
    lock = threading.Lock()

    def plan(_operation: str, _number: int) -> Fault | Refusal | None:
        with lock:
            drawn = dice.random()
        for share, ailment in ailments:
            if drawn < share:
                return ailment
            drawn -= share
        return None

    return plan

"""The parts of an execution's state: what it is, what it waits for, and its lines of control."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gateway.asl.scope import NOTHING, Json


class Identity(NamedTuple):
    """What an execution is born with."""

    arn: str
    name: str
    machine_arn: str
    role_arn: str
    start_at: int
    input: str
    """JSON text as the caller gave it."""
    version_arn: str | None = None
    """Of the version that it was started through."""
    alias_arn: str | None = None
    """Of the alias that it was started through."""

    @property
    def express(self) -> bool:
        """Whether it is an execution of an Express machine."""
        return self.arn.split(":", 6)[5] == "express"

    id: int = 0
    """Of its row: task tokens name it."""


def map_run_arn(parent: Identity, label: str, id: str) -> str:  # noqa: A002
    """The ARN of a map run: ``…:mapRun:<machine>/<label>:<UUID>``."""
    start, _, machine = parent.machine_arn.partition(":stateMachine:")
    return f"{start}:mapRun:{machine.partition('/')[0]}/{label}:{id}"


class Timer(NamedTuple):
    """Waited for until ``due``; ``interval`` is the whole span. Milliseconds."""

    number: int
    kind: str
    due: int
    interval: int


class Task(NamedTuple):
    """Asked for and not ended. ``started_at`` None: it waits in its queue."""

    number: int
    frame: int
    resource: str
    input: Json
    timeout_seconds: int | None
    heartbeat_seconds: int | None
    scheduled_at: int
    started_at: int | None = None
    worker: str | None = None
    token_hash: str | None = None
    submitted_at: int | None = None
    """When its call was answered, of one that is not over with that."""
    role: str | None = None
    """ARN of the role that it is called as."""


class MapRun(NamedTuple):
    """A Distributed Map's run: each item, or batch of items, is an execution of its own."""

    number: int
    frame: int
    label: str
    id: str
    """UUID; with the label it makes the map run's ARN."""
    items: Json
    """The list; None where ``reader`` says where the items are."""
    limits: dict[str, Json]
    """maxConcurrency, toleratedFailureCount and toleratedFailurePercentage."""
    options: dict[str, Json]
    """``reader``, ``batcher`` and ``writer``, evaluated, where the state has them."""
    started_at: int
    wait: int
    """What the parent waits for: ``number`` at first, another one after each redrive."""
    redrives: int = 0


class Join:
    """What a Parallel or Map knows of its branches or iterations."""

    __slots__ = ("children", "concurrency", "ended_event", "items", "over", "results", "started")

    def __init__(self, length: int, items: Json = None, concurrency: int = 0) -> None:
        self.items = items
        self.concurrency = concurrency
        self.results: list[Json] = [None] * length
        self.started = 0
        """How many have been started; also the index of the next one."""
        self.ended_event = 0
        """Id of the last MapIterationSucceeded; 0 before the first, and for a Parallel."""
        self.children: set[int] = set()
        """Frames that have not ended."""
        self.over = False
        """The state has failed; only a redrive goes on with the children."""

    @property
    def complete(self) -> bool:
        """Every branch or iteration has ended well; the one run of a Distributed Map, which has no
        children here."""
        return self.started == len(self.results) and not self.children

    @property
    def has_room(self) -> bool:
        """Another iteration may start."""
        return self.started < len(self.results) and len(self.children) < self.concurrency


class Frame:
    """One line of control: the execution (0), a branch or an iteration."""

    __slots__ = (
        "assigned",
        "data",
        "entered_after",
        "entered_at",
        "entered_event",
        "handed_out",
        "id",
        "index",
        "join",
        "last_event",
        "left",
        "map_run",
        "next",
        "parent",
        "resource",
        "retries",
        "state",
        "token",
        "type",
        "variables",
        "wait",
    )

    def __init__(
        self,
        number: int,
        parent: int | None,
        index: int,
        data: Json,
        last_event: int,
        variables: Mapping[str, Json] = NOTHING,
    ) -> None:
        self.id = number
        self.parent = parent
        self.index = index
        self.data = data
        """The document in hand: the current state's input, or the last one's output."""
        self.last_event = last_event
        self.variables = variables
        """What the frame's states see: its own and those around it. Never changed in place, since
        the frames that begin inside it share it."""
        self.assigned: dict[str, Json] | None = None
        """What the state that it left last has assigned."""
        self.state: str | None = None
        self.type = ""
        self.next: str | None = None
        """Where to go; None before the first state and after the last."""
        self.left = ""
        """Name of the state that it left last."""
        self.entered_at = 0
        self.entered_event = 0
        self.entered_after = 0
        """What the event of the state's beginning shows as its predecessor."""
        self.wait: int | None = None
        """Number of the timer or task that it waits for."""
        self.join: Join | None = None
        self.map_run: MapRun | None = None
        """The map run of the Distributed Map that it is in, also when that has failed: a redrive
        goes on with it."""
        self.retries: dict[int, int] = {}
        """How often each retrier of the current state has been used."""
        self.resource = ""
        """What the current task asks for, for the events of its end."""
        self.token = ""
        """By which the current task may be answered, where the state knows it."""
        self.handed_out: int | None = None
        """Number of the task that a worker has had once: another hand-out leaves no event."""

    @property
    def distributed(self) -> bool:
        """It is in a Distributed Map, which has no iterations of its own to join."""
        join = self.join
        return join is not None and self.type == "Map" and not join.concurrency

    def dump(self) -> dict[str, Json]:
        """Everything, for comparison."""
        members = {name: getattr(self, name) for name in self.__slots__}
        if self.join is not None:
            members["join"] = {n: getattr(self.join, n) for n in Join.__slots__}
        return members

"""What has to happen in this world, so that the seeds are known to try it."""

from __future__ import annotations

from collections import Counter

ENOUGH = 600
"""Seeds after which all that is expected has happened; its rarest kind comes in one of sixty or
so."""
EXPECTED = (
    "API: a machine is deleted",
    "API: a deleted machine is made anew",
    "API: a machine is updated",
    "API: a start through a version",
    "API: a start through an alias",
    "API: a version is deleted",
    "API: a version is published",
    "API: an alias leads elsewhere",
    "API: a map run is given other limits",
    "API: an execution is redriven",
    "Express: a synchronous one is heard of",
    "history: forgotten while it is read",
    "history: one page follows another",
    "S3: a body breaks off",
    "S3: a call fails",
    "task: a call fails",
    "task: a call hangs",
    "task: a call is cut off",
    "task: a call is given up",
    "task: an interrupted call is not made again",
    "task: called again under its key",
    "API: a caller gives up",
    "API: a task goes back, for its poller has gone",
    "API: an answer is lost",
    "SQS: a call fails",
    "SQS: a call hangs",
    "SQS: a deleted message comes again",
    "SQS: a message comes again",
    "SQS: messages out of order",
    "SQS: the answer to a delete is lost",
    "SQS: the queue parks a message itself",
    "an execution leaves the memory",
    "an orderly stop",
    "death before a chore",
    "death behind a commit",
    "death within a commit",
    "kafka call fails",
    "kafka call is slow",
    "kafka: a commit is fenced",
    "kafka: a batch is damaged",
    "kafka: a dead member is waited for",
    "kafka: a log expires",
    "kafka: a log is made anew",
    "kafka: a rebalance",
    "kafka: a record comes again",
    "kafka: a record is taken elsewhere",
    "kafka: another member",
    "kafka: fenced",
    "kafka: out of range",
    "kafka: the membership fails",
    "map run: an Express child has ended",
    "map run: an Express child is cut off",
    "nested: a child begins",
    "nested: a child ends with its task",
    "nested: an end reaches its task",
    "nested: an end reaches one that found it running",
    "reload: an execution goes on with its old definition",
    "reload: other revisions",
    "reload: other sinks",
    "reload: other sources",
    "reload: other workers",
    "reload: refused",
    "reload: taken",
    "retention: a name is free again",
    "retention: an execution is forgotten",
    "retention: one that has ended stays",
    "retention: one that still has to be told of stays",
    "sink: a call fails",
    "sink: a call hangs",
    "sink: a notification comes again",
    "sink: an acknowledgement is lost",
    "sink: is gone",
    "sink: refuses for good",
    "store: a chore finds the disk full",
    "store: a commit is slow",
    "store: a read is slow",
    "store: memory",
    "store: sqlite",
    "store: the disk is full",
    "store: units share a batch",
    "the clock jumps ahead",
    "the clock jumps back",
    "the daemon does not come up",
    "the disk fails",
    "the power is cut",
    "webhook: sent again",
    "worker: answers by a token that came by mail",
    "worker: answers twice",
    "worker: dies with its task",
)
RARE = ("map run: an Express child is redriven",)
"""What comes in one seed of hundreds."""
KINDS = frozenset((*EXPECTED, *RARE))


def table(kinds: Counter[str], seeds: int) -> str:
    """How often what happened, and how often in a seed."""
    width = max(map(len, KINDS))
    every = (*EXPECTED, *RARE)
    lines = [f"{kind:{width}} {kinds[kind]:9} {kinds[kind] / seeds:9.2f}" for kind in every]
    return "\n".join([f"{'what happened':{width}} {'times':>9} {'a seed':>9}", *lines])


def missing(kinds: Counter[str]) -> list[str]:
    """What never happened, though it should."""
    return [kind for kind in EXPECTED if not kinds[kind]]

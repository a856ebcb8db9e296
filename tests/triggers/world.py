"""A trigger over the real engine on the in-memory store, with a clock that stands still."""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import SimpleNamespace

from gateway.engine.catalog import Catalog
from gateway.engine.engine import Engine
from gateway.engine.metrics import Metrics
from gateway.engine.outbox import Outbox
from gateway.sources.protocol import Message
from gateway.store.memory import open_memory
from gateway.triggers.mapping import compile_mapping
from gateway.triggers.running import Running
from gateway.triggers.trigger import Trigger

NOW = 1_795_441_080_123
PASS = '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}'
WAIT = '{"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 60, "End": true}}}'


def message(number=1, body=None, **members):
    """A message as a source makes it."""
    return Message(
        id=f"id-{number}",
        body={"id": number} if body is None else body,
        received_at=NOW,
        default_name=f"id-{number}",
        coordinates=f"queue orders, message id-{number}",
        members=members,
    )


@asynccontextmanager
async def world():
    """A store with the machines ``fast`` and ``slow``, an engine, and ``trigger`` to make one."""
    async with open_memory() as store:
        metrics = Metrics()
        catalog = Catalog(store, lambda: NOW, region="us-east-1", account="123456789012")
        await catalog.create_machine("fast", PASS)
        await catalog.create_machine("slow", WAIT)
        outbox = Outbox(store, lambda _: None, lambda: NOW, metrics)
        engine = Engine(store, catalog, outbox, lambda: NOW, metrics)
        await engine.recover()
        running = Running({})
        engine.on_end.append(running.ended)

        def trigger(machine="fast", rules=None, **more):
            mapping = compile_mapping("orders", "sqs", **(rules or {}))
            return Trigger(
                mapping, machine, engine=engine, metrics=metrics, running=running, **more
            )

        def counted(what):
            return getattr(metrics, what)["orders"]

        yield SimpleNamespace(
            store=store,
            metrics=metrics,
            catalog=catalog,
            engine=engine,
            running=running,
            trigger=trigger,
            counted=counted,
        )

"""The examples under config/ load without a word, and their machines do what they say."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
import trio

from gateway.config.load import load_config
from gateway.engine.catalog import Catalog
from gateway.engine.engine import Engine
from gateway.engine.metrics import Metrics
from gateway.engine.outbox import Outbox
from gateway.sources.protocol import Message
from gateway.store.memory import open_memory
from gateway.triggers.running import Running
from gateway.triggers.trigger import Trigger

EXAMPLES = Path(__file__).parents[2] / "config"
START = 1_795_441_080_000


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_loads(path):
    """Each example is clean, warnings included, with no variable set."""
    assert load_config(path, {}).warnings == ()


def test_all_are_there():
    """The examples that the README speaks of are there."""
    wanted = {"quickstart.yaml", "fulfilment.yaml", "game.yaml", "library.yaml"}
    assert {path.name for path in EXAMPLES.glob("*.yaml")} >= wanted


def now():
    """The mock clock in milliseconds."""
    return START + round(trio.current_time() * 1000)


async def runs(store, example, machine):
    """An engine on the store that has the example's machine and activities."""
    config = load_config(EXAMPLES / example, {})
    metrics = Metrics()
    catalog = Catalog(store, now, region="us-east-1", account="123456789012")
    await catalog.create_machine(machine, config.definitions[machine])
    for activity in config.settings.activities:
        await catalog.create_activity(activity)
    return config, Engine(store, catalog, Outbox(store, lambda _: None, now, metrics), now, metrics)


async def delivered(config, engine, trigger, machine, body):
    """The execution that a message with this body starts, when it has ended."""
    work = Trigger(
        config.mappings[trigger],
        machine,
        engine=engine,
        metrics=Metrics(),
        running=Running({}),
    )
    ended = trio.Event()
    engine.on_end.append(lambda _: ended.set())
    [outcome] = await work.deliver([Message("1", body, now(), "1", "a message")])
    await ended.wait()
    return await engine.execution(outcome.arn)


async def answer(engine, activity, handler):
    """A worker of the example, without a process of its own."""
    arn = engine.catalog.activity_arn(activity)
    while True:
        task = await engine.get_activity_task(arn, "w", 60)
        try:
            output = handler(json.loads(task.input), None)
        except Exception as failure:
            await engine.task_failed(task.token, type(failure).__name__, str(failure))
        else:
            await engine.task_succeeded(task.token, json.dumps(output))


ORDER = {"id": 17, "drink": "latte", "cups": 2, "for": "Ada"}
COFFEES = [
    (ORDER, "SUCCEEDED", "2 x latte for Ada"),
    ({**ORDER, "for": None}, "SUCCEEDED", "2 x latte for :-)"),
    ({"id": 17, "drink": "latte", "cups": 2}, "SUCCEEDED", "2 x latte for :-)"),
    ({"id": 17, "drink": "latte"}, "FAILED", "EmptyOrder"),
    ({**ORDER, "cups": 0}, "FAILED", "EmptyOrder"),
]


@pytest.mark.parametrize(("order", "status", "said"), COFFEES)
async def test_coffee(autojump_clock, order, status, said):
    """An order through the quickstart's own trigger becomes a coffee, three seconds later."""
    async with open_memory() as store, trio.open_nursery() as nursery:
        config, engine = await runs(store, "quickstart.yaml", "coffee")
        await nursery.start(engine.run)
        row = await delivered(config, engine, "orders", "coffee", order)
        assert (row.name, row.status) == ("coffee-17", status)
        if status == "SUCCEEDED":
            output = json.loads(row.output)
            assert (output["served"], output["beans"]) == (said, "Yirgacheffe")
            assert row.stop_at - row.start_at == 3000
        else:
            assert row.error == said
        nursery.cancel_scope.cancel()


PARCEL = {"order": 17, "sent": True, "parcel": "P-17", "items": ["pen", "book"]}
SHIPMENTS = [
    ("orders-topic", {"id": 17, "items": ["pen", "book"]}, PARCEL),
    (
        "orders-queue",
        {"detail-type": "OrderPlaced", "detail": {"id": 17, "items": ["pen", "book"]}},
        PARCEL,
    ),
    (
        "orders-topic",
        {"id": 17, "items": ["pen", "unicorn"]},
        {"order": 17, "sent": False, "reason": "OutOfStock"},
    ),
]


@pytest.mark.parametrize(("trigger", "body", "output"), SHIPMENTS)
async def test_fulfilment(autojump_clock, monkeypatch, trigger, body, output):
    """An order from either source is picked and packed by the example's own workers."""
    monkeypatch.syspath_prepend(EXAMPLES)
    workers = importlib.import_module("fulfilment.workers")
    monkeypatch.setattr(workers, "SECONDS_OF_WORK", 0)
    async with open_memory() as store, trio.open_nursery() as nursery:
        config, engine = await runs(store, "fulfilment.yaml", "fulfil")
        await nursery.start(engine.run)
        for activity, handler in workers.ACTIVITIES.items():
            nursery.start_soon(answer, engine, activity, handler)
        row = await delivered(config, engine, trigger, "fulfil", body)
        assert (row.name, row.status) == ("order-17", "SUCCEEDED")
        assert json.loads(row.output) == output
        nursery.cancel_scope.cancel()

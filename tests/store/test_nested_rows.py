"""What every store keeps of executions that tasks of others wait for."""

from __future__ import annotations

from gateway.store.changes import DeleteTask, EndExecution, Insert, RedriveExecution
from tests.store.store_rows import execution, task


def child(identity, number, **members):
    """An execution that task ``number`` of execution 1 waits for."""
    return execution(identity, parent=1, parent_number=number, begun_by=f"k{number}", **members)


def end(identity):
    """It succeeds."""
    return EndExecution(identity, "SUCCEEDED", 9_000, "{}", None, None)


async def test_what_a_task_waits_for_is_found_by_the_task(store):
    """With its documents; a child of a map run of that number is another thing."""
    item = execution(4, parent=1, parent_number=9, item=0)
    await store.commit([Insert(row) for row in (child(2, 5), child(3, 6), item)])
    assert await store.nested(1, 6) == child(3, 6)
    assert await store.nested(1, 9) is None
    assert await store.nested(2, 5) is None


async def test_a_task_and_its_execution_end_together(store):
    """Where only one of the two has ended, they are listed."""
    rows = [child(n, n) for n in (2, 3, 4, 5)]
    await store.commit([Insert(execution(1)), *map(Insert, rows)])
    await store.commit([Insert(task(1, n, submitted_at=2_000)) for n in (2, 3, 4, 5)])
    assert await store.unsettled() == []
    await store.commit([end(2), DeleteTask(1, 3), end(4), DeleteTask(1, 4)])
    assert sorted(await store.unsettled()) == [(1, 2), (1, 3)]


async def test_tasks_that_wait_for_what_they_did_not_begin_are_found(store):
    """Those of ``.sync`` whose call was answered and that no execution names."""
    sync = "arn:aws:states:::states:startExecution.sync"
    open_ = {"resource": sync, "input": '{"Name": "n"}', "submitted_at": 2_000}
    waits = [task(1, 1, **open_), task(1, 2, **open_ | {"resource": sync + ":2"})]
    others = [
        task(1, 3, **open_ | {"submitted_at": None}),
        task(1, 4, **open_ | {"resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken"}),
        task(1, 5, **open_),
    ]
    rows = [execution(1), child(2, 5), *waits, *others]
    await store.commit([Insert(row) for row in rows])
    assert sorted(await store.attached()) == waits


async def test_an_execution_that_was_redriven_goes_on_without_its_task(store):
    """Somebody wants it to run."""
    await store.commit([Insert(child(2, 2))])
    await store.commit([end(2)])
    await store.commit([RedriveExecution(2, 9_500)])
    assert await store.unsettled() == []


async def test_a_sweep_keeps_a_child_until_its_task_has_ended(store):
    """However short executions are kept: the task has yet to hear what its child came to."""
    ended = child(2, 7, status="SUCCEEDED", stop_at=5)
    await store.commit([Insert(row) for row in (execution(1), task(1, 7), ended)])
    assert await store.sweep(10, 10) == 0
    await store.commit([DeleteTask(1, 7)])
    assert await store.sweep(10, 10) == 1


async def test_a_sweep_spares_what_it_is_told_to(store):
    """The engine knows what tasks wait for that they did not begin."""
    ended = [execution(n, status="SUCCEEDED", stop_at=5) for n in (1, 2)]
    await store.commit([Insert(row) for row in ended])
    assert await store.sweep(10, 10, [2]) == 1
    assert await store.execution_by_id(2) is not None

"""What the command line asks a running daemon, over the same wire."""

from __future__ import annotations

import httpx
import orjson
import pytest

from gateway.api.health import Health
from gateway.api.model import Model
from gateway.api.operations.stategate_model import STATEGATE
from gateway.store.changes import Insert, MovePosition
from gateway.store.rows import LetterRow, PositionRow


async def ask(api, operation, **members):
    """Status and body of the answer."""
    headers = {"x-amz-target": f"Stategate.{operation}"}
    async with httpx.AsyncClient() as http:
        answer = await http.post(api.url, headers=headers, content=orjson.dumps(members))
    return answer.status_code, answer.json()


def letter(number):
    """A letter of the trigger ``orders``."""
    body = {"id": str(number), "body": {}, "received_at": 1, "default_name": "n"}
    text = orjson.dumps({**body, "coordinates": "c", "members": {}, "trace": None}).decode()
    return LetterRow(f"l{number}", "message", "orders", "no machine", 1_000 + number, "c", text)


async def test_letters_are_listed_and_shown(api):
    """Newest first, by pages, of one origin; one of them with all that it keeps."""
    await api.store.commit([Insert(letter(number)) for number in range(3)])
    status, page = await ask(api, "ListLetters", origin="orders", maxResults=2)
    assert status == 200
    assert [row["id"] for row in page["letters"]] == ["l2", "l1"]
    assert page["letters"][0] == {
        "id": "l2",
        "kind": "message",
        "origin": "orders",
        "reason": "no machine",
        "createdAt": 1.002,
        "coordinates": "c",
    }
    token = page["nextToken"]
    _, rest = await ask(api, "ListLetters", origin="orders", nextToken=token)
    assert [row["id"] for row in rest["letters"]] == ["l0"]
    _, shown = await ask(api, "DescribeLetter", id="l0")
    assert shown["body"] == letter(0).body
    assert (await ask(api, "ListLetters", origin="other"))[1] == {"letters": []}


async def test_letters_are_retried_and_dropped(api):
    """Retried ones go through their trigger; both are gone then; one that is not there is named."""
    await api.store.commit([Insert(letter(number)) for number in range(2)])
    assert await ask(api, "RetryLetter", id="l0") == (200, {})
    assert [row.id for row in api.redelivered] == ["l0"]
    assert await ask(api, "DropLetter", id="l1") == (200, {})
    assert (await ask(api, "ListLetters"))[1] == {"letters": []}
    status, error = await ask(api, "DescribeLetter", id="l1")
    assert (status, error["__type"]) == (400, "LetterDoesNotExist")


async def test_positions_are_shown(api):
    """All, or those of a group."""
    await api.store.commit([MovePosition(PositionRow("group", "orders", 0, 17), force=True)])
    position = {"source": "group", "topic": "orders", "partition": 0, "offset": 17}
    assert (await ask(api, "ListPositions"))[1] == {"positions": [position]}
    assert (await ask(api, "ListPositions", source="group"))[1] == {"positions": [position]}
    assert (await ask(api, "ListPositions", source="other"))[1] == {"positions": []}


async def test_executions_of_all_machines(api):
    """Narrowed by the beginning of their names."""
    for name in ("one", "two"):
        arn = await api.machine(name)
        await api.call("start_execution", stateMachineArn=arn, name=f"{name}-x")
    _, page = await ask(api, "ListExecutions")
    assert {row["name"] for row in page["executions"]} == {"one-x", "two-x"}
    _, page = await ask(api, "ListExecutions", namePrefix="tw")
    assert [row["name"] for row in page["executions"]] == ["two-x"]


async def test_the_status_is_what_healthz_says(api):
    """Free-form, as it is."""
    api.health = Health(ready=False, details={"sources": {"orders": {"state": "starting"}}})
    wanted = {"ready": False, "sources": {"orders": {"state": "starting"}}}
    assert await ask(api, "Status") == (200, wanted)


async def test_requests_are_checked_like_awss(api):
    """Missing members and operations that nobody plugged in are refused in the same words."""
    status, error = await ask(api, "SetPosition", source="g", topic="t", partition=-1)
    assert (status, error["__type"]) == (400, "ValidationException")
    assert error["message"].startswith("2 validation errors detected")
    assert (await ask(api, "Reload"))[0] == 501
    assert (await ask(api, "Nonsense"))[1]["__type"] == "UnknownOperationException"


@pytest.mark.parametrize("operation", sorted(STATEGATE["operations"]))
def test_every_shape_that_is_named_is_there(operation):
    """The description is one that botocore can read."""
    described = Model(STATEGATE).operation(operation)
    assert described.input_shape is not None
    assert described.output_shape is not None or operation in {"Status", "Reload"}

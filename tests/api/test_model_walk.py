"""A walk over botocore's model: each operation is served, and each member of each is checked."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx
import pytest
import regex
import structlog

from gateway.api.bounded import Bounded
from gateway.api.model import step_functions_model
from gateway.api.operations.operation import Service
from gateway.api.protocol import Protocol
from gateway.api.shapes import Shape
from tests.api.conftest import PASS, ROLE
from tests.engine.test_map_runs import distributed

MODEL = step_functions_model()

SMALLEST: dict[str, dict[str, Any]] = {
    "CreateActivity": {"name": "new"},
    "CreateStateMachine": {"name": "new", "definition": PASS, "roleArn": ROLE},
    "CreateStateMachineAlias": {
        "name": "new",
        "routingConfiguration": [{"stateMachineVersionArn": "{version}", "weight": 100}],
    },
    "DeleteActivity": {"activityArn": "{activity}"},
    "DeleteStateMachine": {"stateMachineArn": "{machine}"},
    "DeleteStateMachineAlias": {"stateMachineAliasArn": "{alias}"},
    "DeleteStateMachineVersion": {"stateMachineVersionArn": "{spare}"},
    "DescribeActivity": {"activityArn": "{activity}"},
    "DescribeExecution": {"executionArn": "{running}"},
    "DescribeMapRun": {"mapRunArn": "{run}"},
    "DescribeStateMachine": {"stateMachineArn": "{machine}"},
    "DescribeStateMachineAlias": {"stateMachineAliasArn": "{alias}"},
    "DescribeStateMachineForExecution": {"executionArn": "{running}"},
    "GetActivityTask": {"activityArn": "{activity}"},
    "GetExecutionHistory": {"executionArn": "{running}"},
    "ListActivities": {},
    "ListExecutions": {"stateMachineArn": "{machine}"},
    "ListMapRuns": {"executionArn": "{mapping}"},
    "ListStateMachineAliases": {"stateMachineArn": "{machine}"},
    "ListStateMachineVersions": {"stateMachineArn": "{machine}"},
    "ListStateMachines": {},
    "ListTagsForResource": {"resourceArn": "{machine}"},
    "PublishStateMachineVersion": {"stateMachineArn": "{machine}"},
    "RedriveExecution": {"executionArn": "{stopped}"},
    "SendTaskFailure": {"taskToken": "{token}"},
    "SendTaskHeartbeat": {"taskToken": "{token}"},
    "SendTaskSuccess": {"taskToken": "{token}", "output": "1"},
    "StartExecution": {"stateMachineArn": "{machine}"},
    "StartSyncExecution": {"stateMachineArn": "{express}"},
    "StopExecution": {"executionArn": "{running}"},
    "TagResource": {"resourceArn": "{machine}", "tags": []},
    "TestState": {"definition": '{"Type": "Pass", "End": true}'},
    "UntagResource": {"resourceArn": "{machine}", "tagKeys": []},
    "UpdateMapRun": {"mapRunArn": "{run}", "maxConcurrency": 1},
    "UpdateStateMachine": {"stateMachineArn": "{machine}", "roleArn": ROLE},
    "UpdateStateMachineAlias": {"stateMachineAliasArn": "{alias}", "description": "new"},
    "ValidateStateMachineDefinition": {"definition": PASS},
}


def test_every_operation_is_walked():
    """botocore has no operation that is missing here, and none is here that it lacks."""
    assert SMALLEST.keys() == MODEL.operation_names
    assert len(SMALLEST) == 37


# ------------------------------------------------------------------------ what is served


async def world(api) -> dict[str, str]:
    """One of everything that a request may name."""
    activity = (await api.call("create_activity", name="work"))["activityArn"]
    task = {"Type": "Task", "Resource": activity, "End": True}
    definition = json.dumps({"StartAt": "T", "States": {"T": task}})
    machine = await api.machine("m", definition)
    version = await api.call("publish_state_machine_version", stateMachineArn=machine)
    spare = await api.call(
        "update_state_machine", stateMachineArn=machine, roleArn=f"{ROLE}2", publish=True
    )
    arn = version["stateMachineVersionArn"]
    alias = await api.call(
        "create_state_machine_alias",
        name="live",
        routingConfiguration=[{"stateMachineVersionArn": arn, "weight": 100}],
    )
    stopped = await api.call("start_execution", stateMachineArn=machine)
    await api.call("stop_execution", executionArn=stopped["executionArn"])
    running = await api.call("start_execution", stateMachineArn=machine)
    handed = await api.call("get_activity_task", activityArn=activity)
    await api.call("start_execution", stateMachineArn=machine)
    express = await api.call(
        "create_state_machine", name="e", definition=PASS, roleArn=ROLE, type="EXPRESS"
    )
    mapping = await api.machine(
        "mapping", distributed({"Type": "Wait", "Seconds": 60, "End": True})
    )
    mapped = await api.call("start_execution", stateMachineArn=mapping, input="[1]")
    [run] = (await api.call("list_map_runs", executionArn=mapped["executionArn"]))["mapRuns"]
    return {
        "mapping": mapped["executionArn"],
        "run": run["mapRunArn"],
        "activity": activity,
        "machine": machine,
        "version": arn,
        "spare": spare["stateMachineVersionArn"],
        "alias": alias["stateMachineAliasArn"],
        "stopped": stopped["executionArn"],
        "running": running["executionArn"],
        "token": handed["taskToken"],
        "express": express["stateMachineArn"],
    }


def filled(value: Any, known: dict[str, str]) -> Any:
    """The request with what it names."""
    match value:
        case dict():
            return {name: filled(member, known) for name, member in value.items()}
        case list():
            return [filled(item, known) for item in value]
        case str() if value.startswith("{") and value.endswith("}") and value[1:-1] in known:
            return known[value[1:-1]]
        case _:
            return value


async def post(http: httpx.AsyncClient, url: str, operation: str, request: Any) -> httpx.Response:
    """The answer to a request that no client has looked at before."""
    headers = {"x-amz-target": f"AWSStepFunctions.{operation}"}
    return await http.post(url, headers=headers, content=json.dumps(request).encode())


@pytest.mark.parametrize("operation", sorted(SMALLEST))
async def test_the_smallest_valid_request_is_served(api, operation):
    """With an answer that has all members that the model requires, and none that it does not know:
    the fixture's service answers 500 otherwise."""
    request = filled(SMALLEST[operation], await world(api))
    async with httpx.AsyncClient() as http:
        answer = await post(http, api.url, operation, request)
    assert answer.status_code == 200, answer.text
    shape = MODEL.operation(operation).output_shape
    assert shape is not None
    assert answer.json().keys() >= shape.required_members
    assert answer.json().keys() <= shape.members.keys()


# ----------------------------------------------------------------------- what is refused

WRONG = {"string": 5, "boolean": "x", "structure": "x", "list": "x", "map": "x"}
"""What cannot be converted to the type; any other type is a number."""
NO_MATCH = ("ü", "a b", "")


def some(shape: Shape) -> Any:
    """The smallest value of the shape."""
    limits = shape.metadata
    match shape.type_name:
        case "structure":
            return {name: some(shape.members[name]) for name in sorted(shape.required_members)}
        case "list":
            return [some(shape.member) for _ in range(limits.get("min", 0))]
        case "map":
            return {}
        case "boolean":
            return True
        case "string":
            return limits["enum"][0] if "enum" in limits else "a" * max(limits.get("min", 1), 1)
        case _:
            return limits.get("min", 0)


def broken(shape: Shape) -> Iterator[tuple[str, Any, str]]:
    """Values that the shape does not allow: what is wrong with each, and the error's code."""
    limits, kind = shape.metadata, shape.type_name
    yield "type", WRONG.get(kind, "x"), "SerializationException"
    numeric = kind in {"integer", "long", "float"}
    if limits.get("min", 0) > 0 or (numeric and "min" in limits):
        low = limits["min"] - 1
        yield "too small", low if numeric else _of_length(shape, low), "ValidationException"
    if "max" in limits:
        high = limits["max"] + 1
        yield "too large", high if numeric else _of_length(shape, high), "ValidationException"
    if "enum" in limits:
        yield "enum", "NO_SUCH_VALUE", "ValidationException"
    if "pattern" in limits:
        for text in NO_MATCH:
            if not regex.fullmatch(limits["pattern"], text):
                yield "pattern", text, "ValidationException"
                return


def _of_length(shape: Shape, length: int) -> Any:
    return [some(shape.member)] * length if shape.type_name == "list" else "a" * length


def walk(shape: Shape, path: tuple) -> Iterator[tuple[str, tuple, Any, str]]:
    """Every way to break a request of this shape, at every depth, one at a time."""
    for name, member in shape.members.items():
        place = (*path, name)
        if name in shape.required_members:
            yield "left out", place, None, "ValidationException"
        for what, wrong, code in broken(member):
            yield what, place, wrong, code
        match member.type_name:
            case "structure":
                yield from walk(member, place)
            case "list" if member.member.type_name == "structure":
                yield from walk(member.member, (*place, 0))
            case "list":
                for what, wrong, code in broken(member.member):
                    yield what, (*place, 0), wrong, code
            case _:
                pass


def put(request: Any, shape: Shape, path: tuple, wrong: Any) -> Any:
    """The request with the wrong value at the path; what is missing on the way is made."""
    request = copy.deepcopy(request)
    here = request
    for step, below in pairwise(path):
        shape = shape.member if step == 0 else shape.members[step]
        if step == 0:
            here[:] = here or [some(shape)]
            here = here[0]
        else:
            here = here.setdefault(step, some(shape))
        if below == 0 and not here:
            here.append(some(shape.member))
    here[path[-1]] = wrong
    return request


def refusals() -> Iterator[Any]:
    """One case for each way in which a request of the model can be wrong."""
    for operation, smallest in SMALLEST.items():
        shape = MODEL.operation(operation).input_shape
        assert shape is not None
        for what, path, wrong, code in walk(shape, ()):
            request = put(smallest, shape, path, wrong)
            place = ".".join(map(str, path))
            yield pytest.param(operation, request, path, code, id=f"{operation}-{place}-{what}")


@pytest.fixture(scope="module")
def unserved():
    """The protocol without operations: whatever comes through the checks finds none."""
    return Bounded(Protocol([Service(MODEL, {})], structlog.get_logger()))


@pytest.mark.parametrize(("operation", "request_", "path", "code"), list(refusals()))
async def test_a_broken_member_is_refused(unserved, operation, request_, path, code):
    """With AWS's error, which names the member, before the operation is looked for."""
    transport = httpx.ASGITransport(unserved)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        answer = await post(http, "/", operation, request_)
    assert (answer.status_code, answer.json()["__type"]) == (400, code), answer.text[:500]
    name = next(step for step in reversed(path) if isinstance(step, str))
    assert name in answer.json()["message"]


@pytest.mark.parametrize("operation", sorted(SMALLEST))
async def test_the_smallest_request_satisfies_the_model(unserved, operation):
    """It comes through the checks, so it is the broken member alone that is refused."""
    transport = httpx.ASGITransport(unserved)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        answer = await post(http, "/", operation, SMALLEST[operation])
    assert answer.status_code == 501

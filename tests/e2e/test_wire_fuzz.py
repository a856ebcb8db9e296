"""Requests that are valid, nearly valid and wild, made from the shapes of the model, over the wire
to a real daemon: each is answered in AWS's words, none is a defect, and memory does not grow.

``STATEGATE_FUZZ_REQUESTS=100000`` makes it longer than a test should be.
"""

from __future__ import annotations

import http.client
import json
import os
from collections import Counter
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.api.constraints import violations
from gateway.api.model import step_functions_model
from gateway.api.shapes import Shape
from tests.api.conftest import unknown_members
from tests.e2e.clients import ARN, ROLE, machine, step_functions, work
from tests.e2e.process import DaemonProcess, free_port
from tests.e2e.test_clients_polls import memory_mb

pytestmark = pytest.mark.slow

MODEL = step_functions_model()
BATCH = 25
REQUESTS = int(os.environ.get("STATEGATE_FUZZ_REQUESTS", "2500"))
SECONDS = 30.0
"""Whoever waits longer for an answer hangs."""
GROWTH_MB = 60.0
"""What the caches may fill up with. A leak of one small request each would soon be more."""

NAMES = ("a", "b", "order-1")
PASS = machine(A={"Type": "Pass", "End": True})
DEFINITIONS = (
    PASS,
    machine(A=work("work")),
    machine(A={"Type": "Wait", "Seconds": 1, "End": True}),
    machine(A={"Type": "Fail", "Error": "E"}),
    '{"Type": "Pass", "End": true}',
    "{}",
)
JSON_TEXTS = ("{}", "[1,2]", '"text"', "null", "{", "", '{"a":1e999}', "[" * 500)
ARNS = (
    *(f"{ARN}:stateMachine:{name}{part}" for name in NAMES for part in ("", ":1", ":live", "/map")),
    *(f"{ARN}:execution:{name}:{other}" for name in NAMES for other in NAMES),
    *(f"{ARN}:{kind}:a" for kind in ("activity", "express", "mapRun", "none", "")),
    f"{ARN}:express:a:b:c",
    f"{ARN}:mapRun:a/map:00000000-0000-0000-0000-000000000000",
    ROLE,
    "arn",
    ":" * 20,
)
WILD: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(["\ud800", "x" * 70_000, "\0", "arn:", "☃" * 300]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


class Request(NamedTuple):
    """One request as it goes over the wire."""

    target: str
    body: bytes


def texts(shape: Shape, name: str) -> st.SearchStrategy[str]:
    """Texts of the shape, many of which name something that there is."""
    limits = shape.metadata
    if "enum" in limits:
        return st.sampled_from(limits["enum"])
    if name.endswith("Arn"):
        return st.sampled_from(ARNS)
    pools = {"definition": DEFINITIONS, "input": JSON_TEXTS, "output": JSON_TEXTS}
    if name in pools:
        return st.sampled_from(pools[name])
    if name.lower().endswith("name"):
        return st.sampled_from(NAMES)
    if "pattern" in limits and r"\p" not in limits["pattern"]:  # Java's classes are not Python's.
        return st.from_regex(limits["pattern"], fullmatch=True)
    low = limits.get("min", 0)
    return st.text(min_size=low, max_size=min(limits.get("max", 40), low + 40))


def valid(shape: Shape, name: str = "") -> st.SearchStrategy[Any]:
    """Values of the shape."""
    limits = shape.metadata
    match shape.type_name:
        case "structure":
            members = {n: valid(member, n) for n, member in shape.members.items()}
            required = {n: members.pop(n) for n in shape.required_members}
            return st.fixed_dictionaries(required, optional=members)
        case "list":
            low = limits.get("min", 0)
            return st.lists(valid(shape.member, name), min_size=low, max_size=low + 2)
        case "map":
            return st.dictionaries(st.text(max_size=5), valid(shape.value), max_size=2)
        case "boolean":
            return st.booleans()
        case "string":
            return texts(shape, name)
        case _:
            low = limits.get("min", 0)
            return st.integers(low, limits.get("max", low + 2_000_000_000))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in the value, the whole included."""
    below = (
        value.items() if isinstance(value, dict)
        else enumerate(value) if isinstance(value, list) else ()
    )  # fmt: skip
    return [path, *(place for key, item in below for place in places(item, (*path, key)))]


def put(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    """The value with another one in that place."""
    if not path:
        return other
    copied = value.copy()
    copied[path[0]] = put(value[path[0]], path[1:], other)
    return copied


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A request that is valid, has one wrong value, or is nothing that any client would send."""
    operation = draw(st.sampled_from(sorted(MODEL.operation_names)))
    shape = MODEL.operation(operation).input_shape
    assert shape is not None
    value = draw(valid(shape))
    how = draw(st.sampled_from(["valid", "valid", "nearly", "nearly", "wild"]))
    if how == "nearly":
        value = put(value, draw(st.sampled_from(places(value))), draw(WILD))
    if operation == "GetActivityTask" and isinstance(value, dict):
        # A poll for an activity that exists waits for its tasks.
        value["activityArn"] = f"{ARN}:activity:missing"
    body = json.dumps(value).encode()
    target = f"AWSStepFunctions.{operation}"
    if how == "wild":
        prefixes = st.sampled_from(["AWSStepFunctions.", "Stategate.", "", "."])
        target = draw(prefixes) + draw(st.sampled_from([operation, "", "None", "Status"]))
        body = draw(st.binary(max_size=200) | st.just(body[:-1]) | st.just(b"\xff" + body))
        if target.endswith("GetActivityTask"):
            body = b"["
    return Request(target, body)


class Line:
    """A kept connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)

    def ask(self, request: Request) -> tuple[int, Any]:
        """Status and members of the answer."""
        headers = {"X-Amz-Target": request.target, "Content-Type": "application/x-amz-json-1.0"}
        self._connection.request("POST", "/", request.body, headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def check(request: Request, status: int, answer: Any) -> None:
    """An answer as the model has it, or a refusal with a code and a message."""
    if status != 200:
        assert 400 <= status < 500, (request, status, answer)
        assert answer.keys() == {"__type", "message"}, (request, answer)
        return
    prefix, _, operation = request.target.partition(".")
    if prefix == "AWSStepFunctions":
        shape = MODEL.operation(operation).output_shape
        wrong = [*violations(shape, answer, ""), *unknown_members(shape, answer)]
        assert not wrong, (request, wrong)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """A daemon with something that the requests may name."""
    directory, port = tmp_path_factory.mktemp("fuzz"), free_port()
    config = directory / "fuzz.yaml"
    listen = f'api: {{ listen: "127.0.0.1:{port}" }}'
    config.write_text(f"store: {{ path: fuzz.db }}\n{listen}\nactivities: {{ work: {{}} }}\n")
    with DaemonProcess(config, port) as running, step_functions(running.url) as client:
        for name in NAMES:
            client.create_state_machine(name=name, definition=PASS, roleArn=ROLE, publish=True)
        running.port = port
        yield running
        assert "operation failed" not in running.log.read_text()
        assert running.stop() == 0


def test_no_request_is_a_defect(daemon):
    """Neither a 500 nor silence, whatever is asked; and what the daemon takes in memory stays."""
    line = Line(daemon.port)
    codes: Counter[str] = Counter()
    warm: list[float] = []

    @settings(
        max_examples=REQUESTS // BATCH,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(requests(), min_size=BATCH, max_size=BATCH))
    def ask(batch: list[Request]) -> None:
        for request in batch:
            status, answer = line.ask(request)
            check(request, status, answer)
            codes[answer["__type"] if status != 200 else "served"] += 1
        if codes.total() >= REQUESTS // 5 and not warm:
            warm.append(memory_mb(daemon.pid))

    ask()
    line.close()
    assert codes["served"] > codes.total() // 20, codes
    assert len(codes) > 10, codes
    assert memory_mb(daemon.pid) - warm[0] < GROWTH_MB, (codes, warm)

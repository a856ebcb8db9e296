"""TestState, asked for anything: an answer or a refusal, never a defect."""

from __future__ import annotations

import json
from types import SimpleNamespace

import httpx
import structlog
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.api.bounded import Bounded
from gateway.api.model import step_functions_model
from gateway.api.operations.operation import Service
from gateway.api.operations.test_state import StateTests
from gateway.api.protocol import Protocol
from gateway.asl.members import STATES
from gateway.engine.arns import Arns
from tests.api.conftest import strict
from tests.asl.machines import DISTRIBUTED, inputs, json_values, machines, states
from tests.properties import examples


async def called(_request):
    """What every task comes to."""
    return {"a": 1}


ENGINE = SimpleNamespace(
    catalog=SimpleNamespace(arns=Arns("us-east-1", "123456789012")),
    now=lambda: 1_700_000_000_000,
    try_task=called,
)
"""All that a test asks of the engine."""
PROTOCOL = Bounded(
    Protocol(
        [strict(Service(step_functions_model(), StateTests(ENGINE).table()))],  # type: ignore[arg-type]
        structlog.get_logger(),
    )
)
"""An answer that the model does not know is a defect, too."""

RESOURCES = [
    "arn:aws:states:::sqs:sendMessage",
    "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
    "arn:aws:states:::states:startExecution.sync:2",
    "arn:aws:states:::aws-sdk:kms:encrypt",
    "arn:aws:states:::lambda:invoke",
    "arn:aws:lambda:us-east-1:123456789012:function:f",
    "arn:aws:states:us-east-1:123456789012:activity:a",
]
INNER = {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}}
queries = st.sampled_from(
    [
        "{% $states.input %}",
        "{% $states.context %}",
        "{% $v.a %}",
        "{% 1/0 %}",
        "{% [1,2] %}",
        "{% 5 %}",
    ]
)
paths = st.sampled_from(
    ["$", "$.a", "$.items", "$.items[*]", "$$", "$$.Map.Item.Value", "$$.Task.Token", "$v.a"]
)
payloads = st.fixed_dictionaries({"b": json_values}, optional={"a.$": paths})
templates = st.dictionaries(st.sampled_from("ab"), json_values | queries, max_size=2)
catchers = st.builds(
    lambda error, more: {"ErrorEquals": [error], "Next": "C", **more},
    st.sampled_from(["States.ALL", "E"]),
    st.fixed_dictionaries({}, optional={"ResultPath": st.sampled_from(["$.a.b", "$.new", None])}),
)
retriers = st.fixed_dictionaries(
    {"ErrorEquals": st.just(["E"])},
    optional={
        "BackoffRate": st.floats(1, 1e308),
        "MaxAttempts": st.integers(0, 99_999_999),
        "MaxDelaySeconds": st.integers(1, 31_622_400),
        "JitterStrategy": st.just("FULL"),
    },
)
FAILING = {"Retry": st.lists(retriers, max_size=2), "Catch": st.lists(catchers, max_size=2)}
IN_PATHS = {"InputPath": paths | st.none(), "OutputPath": paths | st.none(), "Assign": payloads}
RESULTS = {"ResultPath": st.sampled_from(["$", "$.a", "$.a.b", "$.items[0]", None])}
SELECTED = {**RESULTS, "ResultSelector": payloads, **FAILING}
COUNTS = ["MaxConcurrency", "ToleratedFailureCount", "ToleratedFailurePercentage"]
BATCHES = st.fixed_dictionaries({"MaxItemsPerBatch": st.integers(1, 2)})
FILES = st.fixed_dictionaries(
    {
        "InputType": st.sampled_from(["CSV", "JSON", "JSONL", "MANIFEST"]),
        "CSVHeaderLocation": st.just("FIRST_ROW"),
    },
    optional={"ItemsPointer": st.sampled_from(["/a", "/items", "/0"]), "MaxItems": st.just(1)},
)
readers = st.builds(
    lambda config: {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": config}, FILES
) | st.just({"Resource": "arn:aws:states:::s3:listObjectsV2"})
MEMBERS = {
    "JSONPath": {
        "Pass": {**IN_PATHS, **RESULTS, "Parameters": payloads, "Result": json_values},
        "Task": {**IN_PATHS, **SELECTED, "Parameters": payloads, "TimeoutSecondsPath": paths},
        "Parallel": {**IN_PATHS, **SELECTED, "Parameters": payloads},
        "Map": {
            **IN_PATHS,
            **SELECTED,
            "ItemsPath": paths,
            "ItemSelector": payloads,
            "ItemBatcher": BATCHES,
            **{f"{name}Path": paths for name in COUNTS},
        },
        "Wait": IN_PATHS,
        "Choice": IN_PATHS,
        "Succeed": {name: IN_PATHS[name] for name in ("InputPath", "OutputPath")},
        "Fail": {"ErrorPath": paths, "CausePath": paths},
    },
    "JSONata": {
        "Pass": {"Output": templates | queries, "Assign": templates},
        "Task": {"Arguments": templates | queries, "Output": queries, "TimeoutSeconds": queries},
        "Parallel": {"Arguments": queries, "Output": templates, "Assign": templates},
        "Map": {
            "Items": queries,
            "ItemSelector": templates,
            "Output": queries,
            "ItemBatcher": BATCHES,
            **dict.fromkeys(COUNTS, queries),
        },
        "Wait": {"Output": templates, "Assign": templates},
        "Choice": {"Output": templates, "Assign": templates},
        "Succeed": {"Output": queries},
        "Fail": {"Error": queries, "Cause": queries},
    },
}
"""Members that a state of the type may have, by query language."""
LEADING = {"End": True}
CHOICES = {
    "JSONPath": [{"Variable": "$.a", "NumericEquals": 1, "Next": "N"}],
    "JSONata": [{"Condition": "{% $states.input.a = 1 %}", "Next": "N"}],
}


@st.composite
def sensible(draw):
    """A state that is likely to be valid."""
    language = draw(st.sampled_from(sorted(MEMBERS)))
    kind = draw(st.sampled_from(["Task", "Map", "Parallel", *MEMBERS[language]]))
    mode = draw(st.sampled_from([{}, {"ProcessorConfig": DISTRIBUTED}]))
    needed = {
        "Pass": LEADING,
        "Task": {**LEADING, "Resource": draw(st.sampled_from(RESOURCES))},
        "Parallel": {**LEADING, "Branches": [INNER]},
        "Map": {**LEADING, "ItemProcessor": {**INNER, **mode}},
        "Wait": {**LEADING, "Seconds": draw(st.integers(0, 99_999_999))},
        "Choice": {"Choices": CHOICES[language]},
        "Succeed": {},
        "Fail": {},
    }[kind]
    members = draw(st.fixed_dictionaries({}, optional=MEMBERS[language][kind]))
    if kind == "Map" and mode and draw(st.booleans()):
        members["ItemReader"] = draw(readers)
    return {"Type": kind, "QueryLanguage": language, **needed, **members}


wild = json_values | queries | paths | st.sampled_from([-1, 1e300, 2**70, "JSONata", "$["])
documents = (
    machines()
    | st.builds(lambda state: {**state, "End": True}, states(1, whole=False))
    | st.builds(
        lambda state, name, value: {**state, name: value},
        sensible(),
        st.sampled_from(sorted(set().union(*STATES.values()))),
        wild,
    )
    | wild
)
values = st.builds(json.dumps, wild) | st.text('{}[]":,a1 ', max_size=8)
failures = st.fixed_dictionaries({}, optional={"error": st.text("Ea"), "cause": st.text()})
errors = st.builds(lambda error: {"error": error}, st.sampled_from(["E", "States.Runtime", ""]))
mocks = st.builds(
    lambda value: {"result": json.dumps([value]), "fieldValidationMode": "NONE"}, json_values
) | st.builds(lambda error: {"errorOutput": error}, errors)


@st.composite
def likely(draw):
    """A request that is likely to be served."""
    state = draw(sensible())
    request = {
        "definition": json.dumps(state),
        "input": json.dumps(draw(inputs)),
        "inspectionLevel": draw(st.sampled_from(["INFO", "DEBUG", "TRACE"])),
        "variables": json.dumps(draw(st.fixed_dictionaries({}, optional={"v": json_values}))),
    }
    if state["Type"] not in {"Task", "Map", "Parallel"}:
        return request
    configuration = {"retrierRetryCount": draw(st.integers(0, 2**31))}
    if state["Type"] == "Map":
        configuration["mapIterationFailureCount"] = draw(st.integers(0, 9))
    if "ItemReader" in state:
        configuration["mapItemReaderData"] = draw(values)
    request |= {"mock": draw(mocks), "stateConfiguration": configuration}
    if draw(st.booleans()):
        request["context"] = json.dumps({"Execution": {"Input": draw(json_values)}})
    return request


unlikely = st.fixed_dictionaries(
    {"definition": st.builds(json.dumps, documents) | st.text(max_size=5)},
    optional={
        "input": values,
        "variables": values,
        "context": values,
        "stateName": st.sampled_from(["S0", "End", "I", "x"]),
        "revealSecrets": st.booleans(),
        "roleArn": st.just("arn:aws:iam::123456789012:role/r") | st.text(min_size=1, max_size=3),
        "mock": st.none()
        | st.fixed_dictionaries(
            {},
            optional={
                "result": st.none() | values,
                "errorOutput": st.none() | failures,
                "fieldValidationMode": st.none() | st.sampled_from(["STRICT", "PRESENT"]),
            },
        ),
        "stateConfiguration": st.none()
        | st.fixed_dictionaries(
            {},
            optional={
                "retrierRetryCount": st.none() | st.integers(0, 10**20),
                "errorCausedByState": st.none() | st.sampled_from(["I", "x"]),
                "mapItemReaderData": st.none() | values,
            },
        ),
    },
)


async def asked(request):
    """The answer of the protocol, without a server."""
    transport = httpx.ASGITransport(PROTOCOL, raise_app_exceptions=True)
    headers = {"x-amz-target": "AWSStepFunctions.TestState"}
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        return await http.post("/", headers=headers, content=json.dumps(request).encode())


@settings(examples(400), suppress_health_check=list(HealthCheck))
@given(likely() | unlikely)
def test_any_test_is_answered_or_refused(request):
    """Whatever definition, input, mock and configuration: 200 with what the model knows, or 400."""
    answer = trio.run(asked, request)
    assert answer.status_code in {200, 400}, (request, answer.text)
    if answer.status_code == 400:
        assert answer.json()["message"], request

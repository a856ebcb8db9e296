"""What a definition is refused for: the code, the place and the words of each finding, as AWS has
them where an answer of AWS is on record, and in the same family where none is."""

from __future__ import annotations

import orjson
import pytest

from gateway.asl.errors import DefinitionError
from gateway.asl.validation import accepted

SCHEMA, TARGET = "SCHEMA_VALIDATION_FAILED", "MISSING_TRANSITION_TARGET"
TASK = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
PASS = {"Type": "Pass", "End": True}
PROGRAM = {"StartAt": "In", "States": {"In": PASS}}
PARALLEL = {"Type": "Parallel", "Branches": [PROGRAM], "End": True}
MAP = {"Type": "Map", "ItemProcessor": PROGRAM, "End": True}
RULE = {"Variable": "$.a", "IsNull": True, "Next": "A"}
WAIT = {"Type": "Wait", "Seconds": 1, "End": True}


def machine(state, **members):
    """A machine whose first state is this one."""
    return {"StartAt": "A", "States": {"A": state}, **members}


def jsonata(state):
    """The same in JSONata."""
    return machine(state, QueryLanguage="JSONata")


def choice(*rules, **members):
    """A machine that begins with these rules."""
    return machine({"Type": "Choice", "Choices": list(rules), **members})


def retry(**members):
    """A task with this entry of Retry."""
    return machine({**TASK, "Retry": [{"ErrorEquals": ["E"], **members}]})


def without(state, *names):
    """The state without these members."""
    return {name: value for name, value in state.items() if name not in names}


def of_a(place, message, code=SCHEMA):
    """The one finding, at a place in the state A."""
    return [(code, f"/States/A{place}", message)]


NO_PATH = "must be a valid JSONPath or a valid intrinsic function call"
REFUSED = {
    # The whole.
    "no object": ([], [(SCHEMA, "/", "Expected value of type Object")]),
    "nothing": ({}, [(SCHEMA, "/", "These fields are required: [States, StartAt]")]),
    "no states": ({"StartAt": "A"}, [(SCHEMA, "/", "These fields are required: [States]")]),
    "start nowhere": (
        {**machine(PASS), "StartAt": "B"},
        [
            (TARGET, "/StartAt", "Missing 'StartAt' target: B"),
            (TARGET, "/States/A", 'State "A" is not reachable.'),
        ],
    ),
    "odd language": (
        machine(PASS, QueryLanguage="SQL"),
        [
            (
                SCHEMA,
                "/QueryLanguage",
                "The field 'QueryLanguage' should have one of these values: [JSONPath, JSONata]",
            )
        ],
    ),
    "machine timeout": (
        machine(PASS, TimeoutSeconds=0),
        [(SCHEMA, "/TimeoutSeconds", "Value must be between 1 and 99999999")],
    ),
    "every problem at once": (
        {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "X"}, "B": WAIT, "C": {}}},
        [
            (SCHEMA, "/States/C", "These fields are required: [Type]"),
            (TARGET, "/States/A/Next", "Missing 'Next' target: X"),
        ],
    ),
    # States.
    "odd type": (
        machine({"Type": "Loop"}),
        of_a(
            "/Type",
            "The field 'Type' should have one of these values: "
            "[Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map]",
        ),
    ),
    "type no text": (
        machine({"Type": {}, "Assign": {"a": 1}}),
        of_a(
            "/Type",
            "The field 'Type' should have one of these values: "
            "[Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map]",
        ),
    ),
    "state no object": (machine([]), of_a("", "Expected value of type Object")),
    "neither Next nor End": (
        machine({"Type": "Pass"}),
        of_a("", "Exactly one of these fields must be present: [Next, End]"),
    ),
    "both Next and End": (
        machine({**PASS, "Next": "A"}),
        of_a("", "Exactly one of these fields must be present: [Next, End]"),
    ),
    "End false": (machine({"Type": "Pass", "End": False}), of_a("/End", "'End' must be true")),
    "End a text": (
        machine({"Type": "Pass", "End": "yes"}),
        [*of_a("/End", "Expected value of type Boolean"), *of_a("/End", "'End' must be true")],
    ),
    "unreachable": (
        {"StartAt": "A", "States": {"A": PASS, "B": WAIT}},
        [(TARGET, "/States/B", 'State "B" is not reachable.')],
    ),
    "long name": (
        {"StartAt": "x" * 81, "States": {"x" * 81: PASS}},
        [(SCHEMA, f"/States/{'x' * 81}", "State names must have 1 to 80 characters")],
    ),
    "a name twice": (
        machine({**PARALLEL, "Branches": [PROGRAM, PROGRAM]}),
        of_a("/Branches[1]/States/In", "Duplicate State name: In", "DUPLICATE_STATE_NAME"),
    ),
    "a name inside again": (
        machine({**MAP, "ItemProcessor": {"StartAt": "A", "States": {"A": PASS}}}),
        of_a("/ItemProcessor/States/A", "Duplicate State name: A", "DUPLICATE_STATE_NAME"),
    ),
    "language of a state": (
        jsonata({**PASS, "QueryLanguage": "JSONPath"}),
        of_a(
            "",
            "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine",
        ),
    ),
    "foreign to JSONata": (
        jsonata({**PASS, "InputPath": "$.a"}),
        of_a("/InputPath", "The field 'InputPath' is not allowed with QueryLanguage 'JSONata'"),
    ),
    "foreign to JSONPath": (
        machine({**TASK, "Arguments": {}}),
        of_a("/Arguments", "The field 'Arguments' is not allowed with QueryLanguage 'JSONPath'"),
    ),
    # Queries.
    "no path": (
        machine({**PASS, "Parameters": {"a.$": "a"}}),
        of_a("/Parameters", f"The value for the field 'a.$' {NO_PATH}"),
    ),
    "no intrinsic": (
        machine({**PASS, "Parameters": {"a.$": "States.Format('{}'"}}),
        of_a("/Parameters", f"The value for the field 'a.$' {NO_PATH}"),
    ),
    "an unknown intrinsic": (
        machine({**PASS, "Parameters": {"a.$": "States.Sum(1, 2)"}}),
        of_a("/Parameters", f"The value for the field 'a.$' {NO_PATH}"),
    ),
    "variable name": (
        machine({**PASS, "Assign": {"1a": 1}}),
        of_a("/Assign/1a", "'1a' cannot be the name of a variable"),
    ),
    # Task, Retry and Catch.
    "no resource": (
        machine(without(TASK, "Resource")),
        of_a("", "These fields are required: [Resource]"),
    ),
    "resource no ARN": (
        machine({**TASK, "Resource": "send-mail"}),
        of_a("/Resource", "Value is not a valid resource ARN"),
    ),
    "credentials without role": (
        machine({**TASK, "Credentials": {}}),
        of_a("/Credentials", "The field 'RoleArn' is required but was missing"),
    ),
    "timeout zero": (
        machine({**TASK, "TimeoutSeconds": 0}),
        of_a("/TimeoutSeconds", "Value must be between 1 and 99999999"),
    ),
    "two timeouts": (
        machine({**TASK, "TimeoutSeconds": 1, "TimeoutSecondsPath": "$.t"}),
        of_a(
            "",
            "At most one of these fields must be present: [TimeoutSeconds, TimeoutSecondsPath]",
        ),
    ),
    "late heartbeat": (
        machine({**TASK, "TimeoutSeconds": 5, "HeartbeatSeconds": 5}),
        of_a(
            "/HeartbeatSeconds",
            "The value for the field 'HeartbeatSeconds' must be smaller than 'TimeoutSeconds'",
        ),
    ),
    "no errors": (retry(ErrorEquals=[]), of_a("/Retry[0]/ErrorEquals", "Value cannot be empty")),
    "odd errors": (
        retry(ErrorEquals=["E", 1]),
        of_a("/Retry[0]/ErrorEquals[1]", "Expected value of type String"),
    ),
    "ALL among others": (
        retry(ErrorEquals=["States.ALL", "E"]),
        of_a("/Retry[0]/ErrorEquals", "States.ALL must appear alone"),
    ),
    "interval": (
        retry(IntervalSeconds=0),
        of_a("/Retry[0]/IntervalSeconds", "Value must be between 1 and 99999999"),
    ),
    "interval a fraction": (
        retry(IntervalSeconds=1.5),
        of_a("/Retry[0]/IntervalSeconds", "Expected value of type Integer"),
    ),
    "attempts": (
        retry(MaxAttempts=-1),
        of_a("/Retry[0]/MaxAttempts", "Value must be between 0 and 99999999"),
    ),
    "backoff": (
        retry(BackoffRate=0.9),
        of_a("/Retry[0]/BackoffRate", "Value must be greater than or equal to 1"),
    ),
    "delay": (
        retry(MaxDelaySeconds=31_622_401),
        of_a("/Retry[0]/MaxDelaySeconds", "Value must be between 1 and 31622400"),
    ),
    "jitter": (
        retry(JitterStrategy="HALF"),
        of_a(
            "/Retry[0]/JitterStrategy",
            "The field 'JitterStrategy' should have one of these values: [FULL, NONE]",
        ),
    ),
    "catch nowhere": (
        machine({**TASK, "Catch": [{"ErrorEquals": ["E"], "Next": "X"}]}),
        of_a("/Catch[0]/Next", "Missing 'Next' target: X", TARGET),
    ),
    "catch without Next": (
        machine({**TASK, "Catch": [{"ErrorEquals": ["E"]}]}),
        of_a("/Catch[0]", "These fields are required: [Next]"),
    ),
    "catch no list": (
        machine({**TASK, "Catch": {}}),
        of_a("/Catch", "Expected value of type Array"),
    ),
    # Choice.
    "no rules": (choice(Default="A"), of_a("/Choices", "Value cannot be empty")),
    "two operators": (
        choice({**RULE, "IsString": True}),
        of_a("/Choices[0]", "A choice rule must have one operator; it has IsNull, IsString"),
    ),
    "no operator": (
        choice(without(RULE, "IsNull")),
        of_a("/Choices[0]", "A choice rule must have one operator; it has none"),
    ),
    "nested Next": (
        choice({"Next": "A", "Not": RULE}),
        of_a("/Choices[0]/Not", "The field 'Next' is allowed in a rule of 'Choices' only"),
    ),
    "rule without Next": (
        choice(without(RULE, "Next")),
        of_a("/Choices[0]", "These fields are required: [Next]"),
    ),
    "empty And": (
        choice({"Next": "A", "And": []}),
        of_a("/Choices[0]/And", "Value cannot be empty"),
    ),
    "default nowhere": (
        choice(RULE, Default="X"),
        of_a("/Default", "Missing 'Default' target: X", TARGET),
    ),
    # Wait.
    "two waits": (
        machine({**WAIT, "Timestamp": "2016-03-14T01:59:00Z"}),
        of_a(
            "",
            "Exactly one of these fields must be present: "
            "[Seconds, Timestamp, SecondsPath, TimestampPath]",
        ),
    ),
    "no timestamp": (
        machine({"Type": "Wait", "Timestamp": "tomorrow", "End": True}),
        of_a("/Timestamp", "String does not match RFC3339 timestamp"),
    ),
    "seconds a text": (
        machine({**WAIT, "Seconds": "1"}),
        of_a("/Seconds", "Expected value of type Integer"),
    ),
    # Fail, Parallel, Map.
    "two errors": (
        machine({"Type": "Fail", "Error": "E", "ErrorPath": "$.e"}),
        of_a("", "At most one of these fields must be present: [Error, ErrorPath]"),
    ),
    "no branches": (
        machine({**PARALLEL, "Branches": []}),
        of_a("/Branches", "Value cannot be empty"),
    ),
    "inside a branch": (
        machine({**PARALLEL, "Branches": [{"StartAt": "In", "States": {"In": {"Type": "Pass"}}}]}),
        of_a(
            "/Branches[0]/States/In",
            "Exactly one of these fields must be present: [Next, End]",
        ),
    ),
    "no processor": (
        machine(without(MAP, "ItemProcessor")),
        of_a("", "Exactly one of these fields must be present: [ItemProcessor, Iterator]"),
    ),
    "label of an inline Map": (
        machine({**MAP, "Label": "x"}),
        of_a("/Label", "Field is not supported when Mode is INLINE"),
    ),
}


def findings(definition, type="STANDARD"):  # noqa: A002 - AWS's word
    """What a definition is refused for."""
    with pytest.raises(DefinitionError) as refused:
        accepted(orjson.dumps(definition).decode(), type)
    return [(each.code, each.location, each.message) for each in refused.value.diagnostics]


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    """All that is wrong is found in one go, with AWS's code, the JSON pointer and the words."""
    definition, expected = REFUSED[name]
    assert findings(definition) == expected


EXPRESS = "Express state machine does not support"
NOT_EXPRESS = {
    "activity": (
        {**TASK, "Resource": "arn:aws:states:us-east-1:123456789012:activity:a"},
        of_a("/Resource", f"{EXPRESS} Activity tasks"),
    ),
    "sync": (
        {**TASK, "Resource": "arn:aws:states:::states:startExecution.sync:2"},
        of_a("/Resource", f"{EXPRESS} '.sync' service integration"),
    ),
    "callback": (
        {**TASK, "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken"},
        of_a("/Resource", f"{EXPRESS} '.waitForTaskToken' service integration"),
    ),
}


@pytest.mark.parametrize("name", NOT_EXPRESS)
def test_an_express_machine_is_refused(name):
    """What an Express machine cannot have is found at its place; a Standard one may have it."""
    state, expected = NOT_EXPRESS[name]
    assert findings(machine(state), "EXPRESS") == expected
    assert accepted(orjson.dumps(machine(state)).decode()).start_at == "A"

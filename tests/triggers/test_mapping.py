"""What a message becomes: filtered, a name and an input, or never."""

from __future__ import annotations

import hashlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.engine.names import legal_name
from gateway.errors import ConfigError
from gateway.sources.protocol import Message
from gateway.triggers.mapping import (
    INPUT_BYTES_MAX,
    Accepted,
    Unfit,
    Unwanted,
    compile_mapping,
    iso_time,
)


def message(body, default_name="id-1", members=None):
    """A message with this body."""
    return Message(
        id="id-1",
        body=body,
        received_at=1_795_441_080_007,
        default_name=default_name,
        coordinates="queue orders, message id-1",
        members=members or {},
    )


def judge(body, members=None, default_name="id-1", **rules):
    """The verdict of a trigger ``orders`` with these rules."""
    mapping = compile_mapping("orders", "sqs", **rules)
    return mapping.judge(message(body, default_name, members))


def test_senders_of_two_webhooks_never_share_a_name():
    """They choose their ids: the second one would be told that it is a duplicate."""

    def name(trigger, delivery):
        return compile_mapping(trigger, "webhook").judge(message({}, delivery)).name

    names = [name("orders", "eu-1001"), name("orders-eu", "1001"), name("orders-eu-1001", "")]
    assert names[0] == "orders-eu-1001"
    assert names[1].startswith("orders-eu-1001-")
    assert len(set(names)) == 3
    assert name("orders-eu", "1001") == names[1]


def test_document():
    """All sources have the same members; a source's own never hide them."""
    document = compile_mapping("orders", "sqs").document(
        message({"a": 1}, members={"attributes": {"x": 1}, "body": "other", "id": "other"})
    )
    assert document == {
        "id": "id-1",
        "source": "sqs",
        "trigger": "orders",
        "received_at": "2026-11-23T13:38:00.007Z",
        "body": {"a": 1},
        "attributes": {"x": 1},
    }


@pytest.mark.parametrize(
    ("at", "text"), [(0, "1970-01-01T00:00:00.000Z"), (1999, "1970-01-01T00:00:01.999Z")]
)
def test_times(at, text):
    """Times are UTC with milliseconds."""
    assert iso_time(at) == text


NAMES = [
    (None, {"id": 7}, "orders-id-1"),
    ("$.body.id", {"id": "seven"}, "seven"),
    ("$.body.id", {"id": 7}, "7"),
    ("States.Format('order-{}', $.body.id)", {"id": 7}, "order-7"),
    ("$.attributes.key", {}, "k-1"),
]


@pytest.mark.parametrize(("name", "body", "expected"), NAMES)
def test_name(name, body, expected):
    """The name is what the expression gives, or the trigger and the message's coordinates."""
    assert judge(body, {"attributes": {"key": "k-1"}}, name=name).name == expected


def test_illegal_name_is_cleaned():
    """A name that AWS forbids keeps what is legal, and a digest of all of it."""
    digest = hashlib.sha256(b"a b/c").hexdigest()[:16]
    assert judge({"id": "a b/c"}, name="$.body.id").name == f"a-b-c-{digest}"
    assert legal_name(judge({}, default_name="t:1@" + "x" * 200).name)


@pytest.mark.parametrize("wrong", ["", None, True, 1.5, {}, ["x"]])
def test_name_that_is_no_text(wrong):
    """What names nothing would make many messages one; it is refused with the reason."""
    verdict = judge({"id": wrong}, name="$.body.id")
    assert isinstance(verdict, Unfit)
    assert "name must give a text" in verdict.reason


INPUTS = [
    (None, {"a": 1}, {"a": 1}),
    (None, "text", "text"),
    (None, None, None),
    ({"order.$": "$.body", "from": "queue"}, {"a": 1}, {"order": {"a": 1}, "from": "queue"}),
    ({"at.$": "$.received_at"}, {}, {"at": "2026-11-23T13:38:00.007Z"}),
    (["constant"], {}, ["constant"]),
]


@pytest.mark.parametrize(("template", "body", "expected"), INPUTS)
def test_input(template, body, expected):
    """The input is what the template gives, or the body."""
    assert orjson.loads(judge(body, input=template).input) == expected


def test_filter():
    """What the filter rejects is unwanted, and nothing of it is evaluated."""
    rules = {"filter": {"body": {"kind": ["order"]}}, "name": "$.body.id"}
    assert judge({"kind": "other"}, **rules) == Unwanted()
    assert judge({"kind": "order", "id": "x"}, **rules).name == "x"


UNFIT = [
    ({"name": "$.body.id"}, {}, "could not be found"),
    ({"input": {"a.$": "$.body.a"}}, {}, "could not be found"),
    ({"input": {"a.$": "States.MathAdd($.body.a, 1)"}}, {"a": "x"}, "States.IntrinsicFailure"),
    ({}, 2**70, "cannot be written as JSON"),
    ({}, "\ud800", "cannot be written as JSON"),
    ({}, "x" * INPUT_BYTES_MAX, "at most 262144"),
]


@pytest.mark.parametrize(("rules", "body", "reason"), UNFIT)
def test_unfit(rules, body, reason):
    """What can never be taken says why."""
    verdict = judge(body, **rules)
    assert isinstance(verdict, Unfit)
    assert reason in verdict.reason


def test_reasons_are_short():
    """A reason says what is missing and not the whole message, which the letter keeps anyway."""
    verdict = judge({"text": "x" * 100_000}, name="States.Format('order-{}', $.body.id)")
    assert isinstance(verdict, Unfit)
    assert "$.body.id" in verdict.reason
    assert len(verdict.reason) < 500


def test_input_limit_is_inclusive():
    """262,144 bytes are taken."""
    assert isinstance(judge("x" * (INPUT_BYTES_MAX - 2)), Accepted)


def test_dice_are_the_messages_own():
    """A message that is delivered again gets the same name and input, another one others."""
    rules = {"name": "States.Format('x-{}', States.UUID())", "input": {"u.$": "States.UUID()"}}
    first, again = judge({}, **rules), judge({}, **rules)
    assert first == again
    assert judge({}, default_name="id-2", **rules) != first


BAD = [
    ({"filter": {"body": "x"}}, ["filter.body"]),
    ({"name": "body.id"}, ["name"]),
    ({"name": "{% $.body.id %}"}, ["name"]),
    ({"input": {"a.$": "nothing"}}, ["input"]),
    ({"filter": {}, "name": "", "input": {"a.$": 1}}, ["filter", "name", "input"]),
]


@pytest.mark.parametrize(("rules", "paths"), BAD)
def test_bad_rules(rules, paths):
    """Rules that do not compile are problems, all at once."""
    with pytest.raises(ConfigError) as caught:
        compile_mapping("orders", "sqs", **rules)
    assert [problem.path for problem in caught.value.problems] == paths


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=[])),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below),
    max_leaves=8,
)


@given(body=JSON, coordinates=st.text())
def test_total(body, coordinates):
    """Any message gets a verdict, the same each time, and a name that is taken is legal."""
    for name in (None, "$.body", "$.body.id"):
        verdict = judge(body, default_name=coordinates, name=name)
        assert verdict == judge(body, default_name=coordinates, name=name)
        assert not isinstance(verdict, Accepted) or legal_name(verdict.name)

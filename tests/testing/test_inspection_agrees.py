"""A state that is tested alone does what it does in an execution."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import orjson
from hypothesis import given
from hypothesis import strategies as st

from gateway.asl import records as r
from gateway.asl.context import context_object
from gateway.asl.definition import parse_definition
from gateway.asl.flow import Run
from gateway.asl.frame import Identity
from gateway.asl.states.state import State
from gateway.testing.inspection import Inspection, Setting
from gateway.testing.mocks import Returned, Thrown
from gateway.testing.rehearsal import Rehearsal
from gateway.testing.verbatim import Verbatim
from tests.asl.machines import inputs, json_values, machines
from tests.properties import examples

ALONE = {"Pass", "Choice", "Wait", "Task"}
"""Types that have nothing inside."""
answers = json_values.map(Returned) | st.just(Thrown("Custom", "why"))


class Visit(NamedTuple):
    """A state as an execution came through it, and what it had made of it when it left."""

    state: State
    input: Any
    variables: dict[str, Any]
    context: dict[str, Any]
    answer: Returned | Thrown | None = None
    output: Any = None
    next: str | None = None


def visits(rehearsal):
    """The states that were left without being tried again."""
    execution = rehearsal.newborn()
    run = Run(rehearsal.machine, execution, 0, bytes(16))
    open_: dict[int, Visit] = {}
    for at, step in rehearsal.steps:
        for record in step:
            execution.apply(record, at)
            frame = execution.frames.get(record.frame)
            visit = open_.get(record.frame)
            match record:
                case r.StateEntered():
                    assert frame is not None
                    context = json.loads(orjson.dumps(context_object(execution, frame)))
                    told = (frame.data, dict(frame.variables), context)
                    open_[record.frame] = Visit(run.state(frame), *told)
                case r.TaskSucceeded(output=output) if visit:
                    open_[record.frame] = visit._replace(answer=Returned(output))
                case r.TaskFailed(error=error, cause=cause) if visit:
                    open_[record.frame] = visit._replace(answer=Thrown(error, cause))
                case r.RetryScheduled():
                    open_.pop(record.frame, None)
                case r.StateExited(next=target) if visit:
                    assert frame is not None
                    yield visit._replace(output=frame.data, next=target)
                    del open_[record.frame]
                case _:
                    pass


def without_ids(text):
    """A document in which causes do not say the id of the event at which the state was entered."""
    return json.loads(re.sub(r"event id #\d+", "event id #n", text))


@examples(150)
@given(machines(), inputs, st.lists(answers, min_size=1, max_size=5))
def test_a_state_does_alone_what_it_does_in_an_execution(definition, given_input, answers_):
    """With the same input, variables, context and answer, the same output and the same way."""
    coming = iter(answers_)
    machine = parse_definition(json.dumps(definition))
    text = json.dumps(given_input)
    identity = Identity("arn:e", "n", "arn:m", "arn:r", 0, text)
    rehearsal = Rehearsal(
        machine, identity, given_input, lambda *_: next(coming, Returned({"items": [1]}))
    )
    rehearsal.run()
    for visit in visits(rehearsal):
        if visit.state.type not in ALONE:
            continue
        setting = Setting(
            identity=identity._replace(input=json.dumps(visit.input)),
            seed=bytes(16),
            documents=Verbatim(),
            variables=visit.variables,
            context=visit.context,
        )
        inspection = Inspection(visit.state, setting)
        inspection.begin()
        if inspection.wants_answer:
            assert visit.answer is not None
            inspection.answer(visit.answer)
        found = inspection.inspected()
        if found.status == "RETRIABLE":
            continue
        assert found.next == visit.next
        assert without_ids(found.output) == without_ids(orjson.dumps(visit.output).decode())

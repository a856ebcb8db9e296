"""What holds for every machine and every order of events: the fold, repeats, totality, ids."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.asl import stimuli
from gateway.asl.frame import Task, Timer
from tests.asl.driver import Driver
from tests.asl.machines import inputs, joining_machines, machines
from tests.properties import examples
from tests.simulation.grammar import check_history

FINAL = {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}
thorough = examples(150)


def answer_at_random(draw, driver):
    """Any effect that is outstanding may be the next to answer, in any way."""
    keys = sorted(driver.execution.effects)
    effect = driver.execution.effects[draw(st.sampled_from(keys))]
    if isinstance(effect, Timer):
        driver.at = max(driver.at, effect.due)
        return stimuli.TimerFired(effect.number, effect.kind, effect.due)
    if isinstance(effect, Task) and effect.started_at is None:
        return stimuli.HandOut(effect.number, "w", "aa")
    return draw(
        st.sampled_from(
            [
                stimuli.Succeed(effect.number, {"items": [1, 2], "a": None}),
                stimuli.Succeed(effect.number, "text"),
                stimuli.Fail(effect.number, "Custom", "because"),
                stimuli.Return(effect.number, "aa"),
            ]
        )
    )


def play(data, driver, *, steps=60, budget=200):
    """Drive an execution by random answers; yields each stimulus after it was given."""
    driver.give(stimuli.Start(), budget)
    yield stimuli.Start()
    yield from go_on(data, driver, steps, budget)


def go_on(data, driver, steps=60, budget=200):
    """On from wherever it is."""
    for _ in range(steps):
        if driver.execution.status in FINAL:
            return
        stimulus = answer_at_random(data.draw, driver)
        driver.give(stimulus, budget)
        yield stimulus


@thorough
@given(machines(), inputs, st.data())
def test_fold_equals_live(definition, given_input, data):
    """Whatever happens, the history alone gives the live state, down to what is outstanding."""
    driver = Driver(definition, given_input)
    for _ in play(data, driver):
        pass
    assert driver.folded().dump() == driver.execution.dump()


@thorough
@given(machines(), inputs, st.data())
def test_a_repeated_stimulus_changes_nothing(definition, given_input, data):
    """An answer, hand-out or timer that comes twice counts once."""
    driver = Driver(definition, given_input)
    for stimulus in play(data, driver):
        before = driver.execution.dump()
        if isinstance(
            stimulus, stimuli.HandOut | stimuli.Succeed | stimuli.Fail | stimuli.TimerFired
        ):
            assert driver.give(stimulus) == []
            assert driver.execution.dump() == before


@thorough
@given(machines(), inputs, st.data())
def test_histories_obey_the_grammar(definition, given_input, data):
    """Whatever happens, also after an end from outside and redrives, AWS could have written it."""
    driver = Driver(definition, given_input)
    redrives = 0
    for _ in play(data, driver):
        pass
    while redrives < data.draw(st.integers(0, 2)):
        if driver.execution.status == "RUNNING":
            driver.give(data.draw(st.sampled_from([stimuli.Stop(None, None), stimuli.Expire()])))
        if driver.execution.status == "SUCCEEDED":
            break
        redrives += 1
        driver.give(stimuli.Redrive(redrives))
        for _ in go_on(data, driver):
            pass
    assert check_history(definition, driver.events(), driver.execution.status) == redrives
    assert driver.folded().dump() == driver.execution.dump()


@thorough
@given(machines(), inputs, st.data())
def test_ids_count_from_one_and_point_back(definition, given_input, data):
    """Event ids are 1, 2, 3 …, and previousEventId is always an earlier event."""
    driver = Driver(definition, given_input)
    for _ in play(data, driver):
        pass
    events = driver.events()
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert all(0 <= event["previousEventId"] < event["id"] for event in events)


def _in_time(driver, stimulus):
    """The stimulus; a timer is due when the driver's own says so. Each step has its own dice: with
    jitter that is another moment."""
    if not isinstance(stimulus, stimuli.TimerFired):
        return stimulus
    timer = driver.execution.effects.get((stimulus.number, stimulus.kind), stimulus)
    return stimulus._replace(due=max(stimulus.due, timer.due))


@thorough
@given(machines(), inputs, st.data())
def test_the_budget_changes_nothing_but_the_steps(definition, given_input, data):
    """An execution that stops after every transition writes what one without a budget writes."""
    one, many = Driver(definition, given_input), Driver(definition, given_input)
    for stimulus in play(data, many, budget=1):
        one.at = many.at
        one.give(_in_time(one, stimulus))
    strip = [{k: v for k, v in event.items() if k != "timestamp"} for event in one.events()]
    again = [{k: v for k, v in event.items() if k != "timestamp"} for event in many.events()]
    assert [e["type"] for e in strip] == [e["type"] for e in again]
    assert one.execution.status == many.execution.status


@thorough
@given(machines(), inputs, st.data())
def test_an_end_leaves_nothing_outstanding(definition, given_input, data):
    """When an execution has ended, no timer and no task of it is left."""
    driver = Driver(definition, given_input)
    for _ in play(data, driver):
        pass
    if driver.execution.status not in FINAL:
        driver.give(stimuli.Stop("enough", None))
    assert driver.execution.effects == {}
    assert not driver.execution.ready


def answered(driver, effect):
    """What an effect is answered with: for a task, its input alone decides."""
    if isinstance(effect, Timer):
        driver.at = max(driver.at, effect.due)
        return stimuli.TimerFired(effect.number, effect.kind, effect.due)
    if effect.started_at is None:
        return stimuli.HandOut(effect.number, "w", "aa")
    if effect.input["fails"]:
        return stimuli.Fail(effect.number, "Custom", effect.input["name"])
    return stimuli.Succeed(effect.number, effect.input)


def play_in_order(driver, choose):
    """Drive an execution to its end; ``choose`` picks whose answer is next. No task times out."""
    driver.give(stimuli.Start())
    while driver.execution.status not in FINAL:
        effects = driver.execution.effects.values()
        waiting = [e for e in effects if not isinstance(e, Timer) or e.kind in {"wait", "retry"}]
        driver.give(answered(driver, choose(waiting)))


@thorough
@given(joining_machines(), st.randoms())
def test_the_order_of_answers_does_not_change_the_result(definition, dice):
    """Whoever answers first, each Parallel and Map has its results in the order of its branches or
    items, so that the output is the same, in either query language, with what its branches or
    iterations assigned.

    It holds for machines that read no clock and no dice, whose tasks' answers depend on nothing but
    their input, and in which no Parallel or Map fails: where two branches fail, the first to do so
    decides on the error. A failure that is retried and then caught within its branch is one answer
    like another.
    """
    one, other = Driver(definition, {"items": [1, 2]}), Driver(definition, {"items": [1, 2]})
    play_in_order(one, lambda waiting: waiting[0])
    play_in_order(other, dice.choice)
    assert one.execution.status == other.execution.status == "SUCCEEDED"
    assert one.execution.output == other.execution.output


@thorough
@given(st.permutations(range(4)), st.booleans())
def test_the_order_of_answers_does_not_change_a_join(order, as_map):
    """A join's result is in the order of branches or items, whoever answers first."""
    work = {
        "StartAt": "T",
        "States": {
            "T": {
                "Type": "Task",
                "Resource": "arn:aws:states:us-east-1:123456789012:activity:w",
                "End": True,
            }
        },
    }
    state = (
        {"Type": "Map", "ItemProcessor": work, "End": True}
        if as_map
        else {"Type": "Parallel", "Branches": [work] * 4, "End": True}
    )
    driver = Driver({"StartAt": "J", "States": {"J": state}}, [0, 1, 2, 3])
    driver.give(stimuli.Start())
    tasks = [e for e in driver.execution.effects.values() if isinstance(e, Task)]
    for task in tasks:
        driver.give(stimuli.HandOut(task.number, None, "aa"))
    for place in order:
        driver.give(stimuli.Succeed(tasks[place].number, {"place": place}))
    assert driver.execution.status == "SUCCEEDED"
    assert driver.execution.output == [{"place": i} for i in range(4)]

"""What the tasks of a rehearsal answer.

For each state's name one answer, or a list of them: one for each attempt, the last one again and
again. An answer is ``{"return": …}`` or ``{"throw": {"Error": …, "Cause": …}}``; with
``"after_seconds"`` it comes later, so that a timeout can come before it. In Python an answer may
also be a function of the task's input, which raises ``TaskFailure`` to fail.

The mock configuration of AWS's Step Functions Local is taken as well: its test cases are lists of
answers by another name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

Json: TypeAlias = Any
Function: TypeAlias = Callable[[Json], Json]

_LONGEST: Final = 99_999_999
"""Seconds; no timeout of AWS is longer."""
_SHAPE: Final = 'an answer is {"return": …} or {"throw": {"Error": …, "Cause": …}}'


class MocksError(ValueError):
    """The mocks are not what they should be; the message says where and what would be right."""


class TaskFailure(Exception):
    """Raised by a mock that is a function: the task fails with this error and cause."""

    def __init__(self, error: str | None = None, cause: str | None = None) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


class NoAnswer(LookupError):
    """A task was asked for that has no mock."""

    def __init__(self, state: str, given: Json) -> None:
        super().__init__(
            f"state {state!r} asks for a task and has no mock: give it answers under its name, "
            f'as {{"{state}": {{"return": {{}}}}}}'
        )
        self.state = state
        self.given = given
        """The input of the task."""


class Returned(NamedTuple):
    """The task succeeds."""

    output: Json
    after_seconds: float = 0


class Thrown(NamedTuple):
    """The task fails."""

    error: str | None
    cause: str | None
    after_seconds: float = 0


Answer: TypeAlias = Returned | Thrown | Function


class Mocks:
    """The answers of each state, and how many of them have been taken."""

    def __init__(
        self, by_state: Mapping[str, Json] | None = None, *, case: str | None = None
    ) -> None:
        if by_state and "MockedResponses" in by_state:
            by_state = _of_local(by_state, case)
        elif case is not None:
            raise MocksError(
                f"test case {case!r}: only a mock configuration of Step Functions Local has cases"
            )
        self._answers = {name: _answers(name, given) for name, given in (by_state or {}).items()}
        self._taken: Counter[str] = Counter()

    @property
    def states(self) -> frozenset[str]:
        """The names under which there are answers."""
        return frozenset(self._answers)

    def answer(self, state: str, given: Json) -> Returned | Thrown:
        """The next answer of the state to a task with this input. Raises NoAnswer."""
        answers = self._answers.get(state)
        if not answers:
            raise NoAnswer(state, given)
        answer = answers[min(self._taken[state], len(answers) - 1)]
        self._taken[state] += 1
        if not callable(answer):
            return answer
        try:
            return Returned(answer(given))
        except TaskFailure as failure:
            return Thrown(failure.error, failure.cause)


def _answers(name: str, given: Json) -> list[Answer]:
    if not isinstance(given, list):
        return [_answer(name, given)]
    if not given:
        raise MocksError(f"{name}: the list has no answer; {_SHAPE}")
    return [_answer(f"{name}[{index}]", each) for index, each in enumerate(given)]


def _answer(place: str, given: Json) -> Answer:
    if callable(given):
        function: Function = given
        return function
    if not isinstance(given, Mapping):
        raise MocksError(f"{place}: {_SHAPE}")
    members = {name.lower(): value for name, value in given.items()}
    after = members.pop("after_seconds", 0)
    if isinstance(after, bool) or not isinstance(after, int | float) or not 0 <= after <= _LONGEST:
        raise MocksError(f"{place}.after_seconds must be a number from 0 to {_LONGEST}")
    match members:
        case {"return": output, **rest} if not rest:
            return Returned(output, after)
        case {"throw": Mapping() as thrown, **rest} if not rest and _is_failure(thrown):
            return Thrown(thrown.get("Error"), thrown.get("Cause"), after)
        case _:
            raise MocksError(f"{place}: {_SHAPE}")


def _is_failure(thrown: Mapping[str, Json]) -> bool:
    return thrown.keys() <= {"Error", "Cause"} and all(isinstance(v, str) for v in thrown.values())


# ------------------------------------------------------------------- Step Functions Local


def _of_local(config: Mapping[str, Json], case: str | None) -> dict[str, list[Json]]:
    """The answers that a test case of Step Functions Local's mock configuration names."""
    cases: dict[str, Mapping[str, str]] = {
        name: states
        for machine in config.get("StateMachines", {}).values()
        for name, states in machine.get("TestCases", {}).items()
    }
    if case not in cases:
        raise MocksError(
            f"the mock configuration has the test cases {', '.join(cases) or 'none'}: say which"
        )
    return {state: _responses(config, response) for state, response in cases[case].items()}


def _responses(config: Mapping[str, Json], name: str) -> list[Json]:
    """A mocked response: its answers by the number of the attempt, as ``"0"`` or ``"1-2"``."""
    numbered = config["MockedResponses"].get(name)
    if not isinstance(numbered, Mapping):
        raise MocksError(f"there is no mocked response {name!r}")
    answers: list[Json] = []
    for attempts, answer in numbered.items():
        first, _, last = attempts.partition("-")
        try:
            count = int(last or first) - int(first) + 1
        except ValueError:
            raise MocksError(f"{name}: {attempts!r} is no attempt: write 0 or 1-2") from None
        answers += [answer] * count
    return answers

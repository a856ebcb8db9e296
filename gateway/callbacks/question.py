"""What a callbacks page asks and what each of its buttons answers, out of a task's input. Pure."""

from __future__ import annotations

from collections import deque
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

Json: TypeAlias = Any

MOST_ANSWERS: Final = 20
QUESTION_CHARACTERS: Final = 4_000
LABEL_CHARACTERS: Final = 200
ERROR_CHARACTERS: Final = 256
CAUSE_CHARACTERS: Final = 32_768
"""The last two are SendTaskFailure's."""


class Success(NamedTuple):
    """The task succeeds with this output, JSON text."""

    output: str


class Failure(NamedTuple):
    """The task fails with this error."""

    error: str
    cause: str | None


class Answer(NamedTuple):
    """One button."""

    label: str
    outcome: Success | Failure


class Question(NamedTuple):
    """What is asked, and the buttons in their order."""

    text: str
    answers: tuple[Answer, ...]


class Malformed(ValueError):
    """A ``callback`` is there, and is not one; says what is wrong with it."""


UNASKED: Final = Question(
    "Do you confirm?",
    (
        Answer("Confirm", Success('{"confirmed":true}')),
        Answer("Refuse", Failure("Refused", "It was refused on the callbacks page.")),
    ),
)
"""For a task that was given no question."""


def find_question(document: Json) -> Question:
    """The question of a task with this input; ``UNASKED`` where it has none. Raises Malformed.

    It is the object ``callback`` that stands least deep, and of several equally deep ones the first
    in the document. An object of that name with neither ``question`` nor ``answers``, or anything
    that is no object, is somebody else's. What is inside a text is not looked at.
    """
    level = deque([document])
    while level:
        value = level.popleft()
        if isinstance(value, dict):
            callback = value.get("callback")
            if isinstance(callback, dict) and callback.keys() & {"question", "answers"}:
                return _question(callback)
            level.extend(value.values())
        elif isinstance(value, list):
            level.extend(value)
    return UNASKED


def _question(written: dict[str, Json]) -> Question:
    text = _text(written.get("question"), "question", QUESTION_CHARACTERS)
    answers = written.get("answers")
    if not isinstance(answers, list) or not 1 <= len(answers) <= MOST_ANSWERS:
        raise Malformed(f"answers has to be a list of 1 to {MOST_ANSWERS} answers")
    return Question(text, tuple(_answer(each, f"answers[{i}]") for i, each in enumerate(answers)))


def _answer(written: Json, place: str) -> Answer:
    if not isinstance(written, dict):
        raise Malformed(f"{place} has to be an object")
    label = _text(written.get("label"), f"{place}.label", LABEL_CHARACTERS)
    match written:
        case {"output": _, "error": _}:
            raise Malformed(f"{place} has both output and error")
        case {"output": output}:
            return Answer(label, Success(orjson.dumps(output).decode()))
        case {"error": error}:
            name = _text(error, f"{place}.error", ERROR_CHARACTERS)
            cause = written.get("cause")
            if cause is not None:
                cause = _text(cause, f"{place}.cause", CAUSE_CHARACTERS)
            return Answer(label, Failure(name, cause))
        case _:
            raise Malformed(f"{place} has neither output nor error")


def _text(written: Json, place: str, most: int) -> str:
    if not isinstance(written, str) or not written.strip() or len(written) > most:
        raise Malformed(f"{place} has to be a text of 1 to {most:,} characters")
    return written

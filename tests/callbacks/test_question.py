"""What is asked: found in a task's input by a rule, and refused where it is malformed."""

from __future__ import annotations

import pytest

from gateway.callbacks.question import (
    UNASKED,
    Answer,
    Failure,
    Malformed,
    Question,
    Success,
    find_question,
)

YES = {"label": "Yes", "output": 1}


def asked(text: str) -> dict:
    """A callback with one button."""
    return {"question": text, "answers": [YES]}


FOUND = {
    "at the top": ({"callback": asked("q")}, "q"),
    "inside a payload": (
        {"FunctionName": "f", "Payload": {"token": "t", "callback": asked("q")}},
        "q",
    ),
    "inside a list": ([1, {"a": [{"callback": asked("q")}]}], "q"),
    "the one least deep, wherever it stands": (
        {"order": {"from": {"callback": asked("deep")}}, "mail": {"callback": asked("less deep")}},
        "less deep",
    ),
    "of equally deep ones the first": (
        {"b": {"callback": asked("first")}, "a": {"callback": asked("second")}},
        "first",
    ),
    "a callback is not looked for inside another one's place": (
        {"callback": {"callback": asked("inner"), **asked("outer")}},
        "outer",
    ),
    "one that is a URL is somebody else's": (
        {"callback": "https://example.com", "x": {"callback": asked("q")}},
        "q",
    ),
    "one with neither question nor answers is somebody else's": (
        {"callback": {"url": "x", "callback": asked("q")}},
        "q",
    ),
}


@pytest.mark.parametrize(("document", "text"), FOUND.values(), ids=FOUND)
def test_the_first_callback_is_asked(document, text):
    """The least deep object `callback` counts; of several, the first in the document."""
    assert find_question(document).text == text


@pytest.mark.parametrize(
    "document",
    [{}, None, 7, "text", {"callback": "url"}, {"callback": None}, {"callback": {"url": "x"}},
     {"MessageBody": '{"callback": {"question": "q", "answers": []}}'}],
)  # fmt: skip
def test_without_one_the_page_offers_to_confirm_or_refuse(document):
    """Where there is no question, there are two buttons; texts are not looked into."""
    assert find_question(document) == UNASKED
    assert [type(answer.outcome) for answer in UNASKED.answers] == [Success, Failure]


def test_every_kind_of_answer():
    """An output may be any value, null among them; an error may have a cause; what else stands
    beside them is passed over."""
    callback = {
        "question": "What now?",
        "style": "red",
        "answers": [
            {"label": "Renew", "output": {"days": [14]}, "icon": "x"},
            {"label": "Nothing", "output": None},
            {"label": "Lost", "error": "Lost", "cause": "It is lost."},
            {"label": "Away", "error": "Away"},
            {"label": "Gone", "error": "Gone", "cause": None},
        ],
    }
    assert find_question({"callback": callback}) == Question(
        "What now?",
        (
            Answer("Renew", Success('{"days":[14]}')),
            Answer("Nothing", Success("null")),
            Answer("Lost", Failure("Lost", "It is lost.")),
            Answer("Away", Failure("Away", None)),
            Answer("Gone", Failure("Gone", None)),
        ),
    )


def one(answer: object) -> dict:
    """A callback with this answer behind a good one."""
    return {"question": "q", "answers": [YES, answer]}


MALFORMED = {
    "question has to be a text of 1 to 4,000 characters": [
        {"answers": [YES]},
        {"question": "", "answers": [YES]},
        {"question": " \n", "answers": [YES]},
        {"question": 7, "answers": [YES]},
        {"question": "q" * 4_001, "answers": [YES]},
    ],
    "answers has to be a list of 1 to 20 answers": [
        {"question": "q"},
        {"question": "q", "answers": []},
        {"question": "q", "answers": {"label": "Yes", "output": 1}},
        {"question": "q", "answers": [YES] * 21},
    ],
    "answers[1] has to be an object": [one("Yes"), one(None)],
    "answers[1].label has to be a text of 1 to 200 characters": [
        one({"output": 1}),
        one({"label": None, "output": 1}),
        one({"label": "l" * 201, "output": 1}),
    ],
    "answers[1] has neither output nor error": [
        one({"label": "No"}),
        one({"label": "No", "cause": "c"}),
    ],
    "answers[1] has both output and error": [one({"label": "No", "output": 1, "error": "E"})],
    "answers[1].error has to be a text of 1 to 256 characters": [
        one({"label": "No", "error": None}),
        one({"label": "No", "error": "e" * 257}),
    ],
    "answers[1].cause has to be a text of 1 to 32,768 characters": [
        one({"label": "No", "error": "E", "cause": {}}),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "callback"),
    [(reason, callback) for reason, callbacks in MALFORMED.items() for callback in callbacks],
)
def test_a_malformed_one_says_what_is_wrong(reason, callback):
    """A callback that is one by its members but breaks a rule is refused by the rule's words; one
    below it does not take its place."""
    with pytest.raises(Malformed) as refused:
        find_question({"callback": callback, "below": {"callback": asked("q")}})
    assert str(refused.value) == reason


def test_a_large_document_is_searched_to_its_end():
    """Depth is no matter: nothing recurses."""
    document: object = {"callback": asked("q")}
    for _ in range(20_000):
        document = [document]
    assert find_question(document).text == "q"

"""Stategate's own operations, described as botocore describes AWS's, so that one code checks both.

They serve the command line; ``X-Amz-Target`` is ``Stategate.<Operation>``.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

Json: TypeAlias = Any

_SCALARS: Final[dict[str, Json]] = {
    "Text": {"type": "string", "min": 1, "max": 2048},
    "Token": {"type": "string", "min": 1, "max": 3096},
    "PageSize": {"type": "integer", "min": 0, "max": 1000},
    "Number": {"type": "long", "min": 0},
    "Timestamp": {"type": "timestamp"},
    "Status": {
        "type": "string",
        "enum": ["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"],
    },
}
_LETTER: Final = {
    "id": "Text",
    "kind": "Text",
    "origin": "Text",
    "reason": "Text",
    "createdAt": "Timestamp",
    "coordinates": "Text",
}
_POSITION: Final = {
    "source": "Text",
    "topic": "Text",
    "partition": "Number",
    "offset": "Number",
}
_EXECUTION: Final = {
    "executionArn": "Text",
    "stateMachineArn": "Text",
    "name": "Text",
    "status": "Text",
    "startDate": "Timestamp",
    "stopDate": "Timestamp",
    "redriveCount": "Number",
    "redriveDate": "Timestamp",
    "stateMachineVersionArn": "Text",
    "stateMachineAliasArn": "Text",
}
_ANSWER: Final = {
    "eventId": "Number",
    "timestamp": "Timestamp",
    "label": "Text",
    "address": "Text",
}
_PAGE: Final = {"maxResults": "PageSize", "nextToken": "Token"}


def _structure(members: dict[str, str], required: list[str] | None = None) -> Json:
    shapes = {name: {"shape": shape} for name, shape in members.items()}
    return {"type": "structure", "members": shapes, "required": required or []}


_SHAPES: Final[dict[str, Json]] = {
    **_SCALARS,
    "Nothing": _structure({}),
    "Letter": _structure(_LETTER),
    "Letters": {"type": "list", "member": {"shape": "Letter"}},
    "Position": _structure(_POSITION),
    "Positions": {"type": "list", "member": {"shape": "Position"}},
    "Execution": _structure(_EXECUTION),
    "Executions": {"type": "list", "member": {"shape": "Execution"}},
    "Answer": _structure(_ANSWER),
    "Answers": {"type": "list", "member": {"shape": "Answer"}},
    "ListAnswersInput": _structure({"executionArn": "Text"}, ["executionArn"]),
    "ListAnswersOutput": _structure({"answers": "Answers"}),
    "ListLettersInput": _structure({"origin": "Text", **_PAGE}),
    "ListLettersOutput": _structure({"letters": "Letters", "nextToken": "Token"}),
    "LetterInput": _structure({"id": "Text"}, ["id"]),
    "DescribeLetterOutput": _structure({**_LETTER, "body": "Text"}),
    "ListPositionsInput": _structure({"source": "Text"}),
    "ListPositionsOutput": _structure({"positions": "Positions"}),
    "SetPositionInput": _structure(_POSITION, list(_POSITION)),
    "ListExecutionsInput": _structure(
        {"stateMachineArn": "Text", "statusFilter": "Status", "namePrefix": "Text", **_PAGE}
    ),
    "ListExecutionsOutput": _structure({"executions": "Executions", "nextToken": "Token"}),
}

# Where no output is named, the answer is free-form and goes over the wire as it is.
_OPERATIONS: Final = {
    "ListLetters": ("ListLettersInput", "ListLettersOutput"),
    "DescribeLetter": ("LetterInput", "DescribeLetterOutput"),
    "RetryLetter": ("LetterInput", "Nothing"),
    "DropLetter": ("LetterInput", "Nothing"),
    "ListPositions": ("ListPositionsInput", "ListPositionsOutput"),
    "SetPosition": ("SetPositionInput", "Nothing"),
    "ListExecutions": ("ListExecutionsInput", "ListExecutionsOutput"),
    "ListAnswers": ("ListAnswersInput", "ListAnswersOutput"),
    "Status": ("Nothing", None),
    "Reload": ("Nothing", None),
}


def _operation(name: str, taken: str, given: str | None) -> Json:
    output = {} if given is None else {"output": {"shape": given}}
    return {"name": name, "input": {"shape": taken}, **output}


STATEGATE: Final[Json] = {
    "metadata": {"targetPrefix": "Stategate", "protocol": "json", "jsonVersion": "1.0"},
    "operations": {name: _operation(name, *shapes) for name, shapes in _OPERATIONS.items()},
    "shapes": _SHAPES,
}

"""How AWS words what an expression could not do: only sentences live here."""

from __future__ import annotations

import orjson

from gateway.asl.errors import StateError
from gateway.asl.scope import Json


def shown(document: Json) -> str:
    """A document as AWS shows it in a cause."""
    try:
        return orjson.dumps(document).decode()
    except orjson.JSONEncodeError:
        return "(a document that is nested too deeply to be shown)"


def invalid_path(text: str, missing: object) -> StateError:
    """The path of a field such as InputPath leads nowhere."""
    return StateError("States.Runtime", f"Invalid path '{text}' : {missing}", located=True)


def not_found(text: str, field: str, document: Json) -> StateError:
    """The path of a payload template's field, of ErrorPath or of CausePath leads nowhere."""
    cause = (
        f"The JSONPath '{text}' specified for the field '{field}' "
        f"could not be found in the input '{shown(document)}'"
    )
    return StateError("States.Runtime", cause, located=True)


def argument_not_found(call: str, text: str, document: Json) -> StateError:
    """A path among the arguments of an intrinsic function leads nowhere."""
    cause = (
        f"The function '{call}' had the following error: The JsonPath argument for the field "
        f"'{text}' could not be found in the input '{shown(document)}'"
    )
    return StateError("States.Runtime", cause, located=True)


def function_failed(call: str, reason: object) -> StateError:
    """An intrinsic function cannot work on what it was given."""
    cause = f"The function '{call}' had the following error: {reason}"
    return StateError("States.IntrinsicFailure", cause, located=True)


def invalid_value(text: str) -> StateError:
    """A path of a choice rule leads nowhere."""
    cause = f"Invalid path '{text}': The choice state's condition path references an invalid value."
    return StateError("States.Runtime", cause, located=True)


def result_path_mismatch(text: str, document: Json) -> StateError:
    """ResultPath does not fit the document that it should put the result into."""
    cause = f"Unable to apply ReferencePath {text} to input {shown(document)}"
    return StateError("States.ResultPathMatchFailure", cause, located=True)

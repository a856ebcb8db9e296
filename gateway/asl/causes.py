"""How AWS words what an expression could not do: only sentences live here."""

from __future__ import annotations

import orjson

from gateway.asl.errors import QueryEvaluationError, StateError
from gateway.asl.scope import Json


def shown(document: Json) -> str:
    """A document as AWS shows it in a cause."""
    try:
        return orjson.dumps(document).decode()
    except orjson.JSONEncodeError:
        return "(a document that is nested too deeply to be shown)"


def _printed(value: Json) -> str:
    """A value inside a cause: a text without its quotes."""
    return value if isinstance(value, str) else shown(value)


def invalid_path(text: str, missing: object) -> StateError:
    """The path of a field such as InputPath leads nowhere."""
    return StateError("States.Runtime", f"Invalid path '{text}' : {missing}", located=True)


def no_input_value(field: str, text: str) -> StateError:
    """SecondsPath or TimestampPath leads nowhere."""
    cause = f"The {field} parameter does not reference an input value: {text}"
    return StateError("States.Runtime", cause, located=True)


def not_found(text: str, field: str, document: Json) -> StateError:
    """The path of a payload template's field, of ErrorPath or of CausePath leads nowhere."""
    cause = (
        f"The JSONPath '{text}' specified for the field '{field}' "
        f"could not be found in the input '{shown(document)}'"
    )
    return StateError("States.Runtime", cause, located=True)


def no_role(found: Json) -> StateError:
    """What Credentials give as a role's ARN is none."""
    cause = f"The RoleArn of Credentials must be a string: {shown(found)}"
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


def not_a_string(field: str) -> StateError:
    """ErrorPath or CausePath finds something else."""
    return StateError(
        "States.Runtime", f"The value of the field '{field}' is not a string", located=True
    )


def not_an_integer(field: str, value: Json) -> StateError:
    """TimeoutSecondsPath or HeartbeatSecondsPath finds no number of seconds."""
    cause = (
        f"The {field} parameter does not reference a valid integer: {field} == {_printed(value)}"
    )
    return StateError("States.Runtime", cause, located=True)


def not_a_count(field: str, value: Json, path: str) -> StateError:
    """MaxConcurrencyPath or its like finds no number of things."""
    return not_a_number(field, value, path, int)


def not_a_number(field: str, value: Json, path: str, kind: type[int] | type[float]) -> StateError:
    """The path of a field that wants a number of the kind finds none."""
    what = "integer" if kind is int else "float"
    cause = (
        f'The {field} field refers to value "{_printed(value)}" which is not a valid {what}: {path}'
    )
    return StateError("States.Runtime", cause, located=True)


def beyond_tolerance(name: str, kind: type[int] | type[float]) -> StateError:
    """A tolerated failure count (an int) or percentage (a float) that none can be."""
    must = "cannot be negative." if kind is int else "must be between 0 and 100."
    return StateError("States.Runtime", f"{name} {must}", located=True)


def not_seconds(value: Json) -> StateError:
    """SecondsPath finds no number of seconds."""
    cause = f"The SecondsPath parameter references an invalid number of seconds: {_printed(value)}"
    return StateError("States.Runtime", cause, located=True)


def not_a_timestamp(value: Json) -> StateError:
    """TimestampPath finds no timestamp."""
    cause = (
        "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time "
        f"format string: TimestampPath == {_printed(value)}"
    )
    return StateError("States.Runtime", cause, located=True)


def no_activity(arn: str) -> StateError:
    """The Resource of a Task is an activity that was never created, or was deleted."""
    return StateError("States.Runtime", f"The activity {arn} does not exist.")


def not_a_list(value: Json, path: str) -> StateError:
    """ItemsPath finds something else."""
    cause = f'Reference path "{path}" must point to array. Actual value: {shown(value)}'
    return StateError("States.Runtime", cause, located=True)


def _query(text: str, location: str, what: str) -> QueryEvaluationError:
    cause = f"The JSONata expression '{text}' specified for the field '{location}' {what}"
    return QueryEvaluationError(cause, location)


def nothing_found(text: str, location: str) -> StateError:
    """A query finds nothing."""
    return _query(text, location, "returned nothing (undefined).")


def evaluation_failed(text: str, location: str, reason: object) -> StateError:
    """A query throws."""
    return _query(text, location, f"threw an error during evaluation. {reason}")


def unexpected_type(text: str, location: str, wanted: str, value: Json) -> StateError:
    """A query gives a value of a type that its field does not take."""
    found = f"'{wanted}', but was '{_type(value)}' for value: {shown(value)}"
    return _query(text, location, f"returned an unexpected result type. Expected {found}")


def unexpected_value(text: str, location: str, wanted: str, value: Json) -> StateError:
    """A query gives a value of the right type that its field does not take."""
    return _query(
        text, location, f"returned an invalid value. Expected {wanted}, but was: {shown(value)}"
    )


def input_is_no_list(value: Json) -> StateError:
    """A Map without Items is entered with something else."""
    return QueryEvaluationError(f"Map state input must be an array but was: {shown(value)}", None)


def _type(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"

"""Documents to a service's parameters and its answers to documents, after botocore's model.

What a member wants and what is given need not be of one kind: AWS turns an object into its JSON
text where a service wants a text, and a text into the number that it is.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson

from gateway.tasks.protocol import Json

Shape = Any
"""Of botocore's model."""


class Unfit(ValueError):
    """The parameters are not what the service takes; in words."""


class Spelling(NamedTuple):
    """How one of AWS's SDKs for Java writes what a model holds."""

    member: Callable[[str], str]
    """The name of a member, from the model's."""
    bytes_as_text: bool
    """Bytes are text where they can be, else base64; or always base64."""


def to_parameters(shape: Shape | None, given: Json, spelling: Spelling) -> dict[str, Any]:
    """What botocore takes for an operation. Raises Unfit, with all that is wrong."""
    reader = _Reader(spelling)
    found = {} if shape is None and not given else reader.structure(shape, given, "")
    if reader.problems:
        raise Unfit(", ".join(reader.problems))
    return found


def named(
    shape: Shape | None, keys: Iterable[str], spelling: Spelling
) -> tuple[dict[str, str], list[str]]:
    """The members that the keys of an object mean, and what is wrong with the keys."""
    members = {} if shape is None else shape.members
    spelled = {spelling.member(name): name for name in members}
    # The model's own spelling of an acronym is taken, too.
    spelled |= {name: name for name in members if name[:1].isupper()}
    found = {key: spelled[key] for key in keys if key in spelled}
    asked = () if shape is None else shape.metadata.get("required", ())
    missing = [spelling.member(name) for name in asked if name not in found.values()]
    return found, [
        *(f"The field '{k}' is not supported by Step Functions" for k in keys if k not in spelled),
        *(f"The field '{key}' is required but was missing" for key in missing),
    ]


class _Reader:
    """One walk through a document, which notes everything that does not fit."""

    def __init__(self, spelling: Spelling) -> None:
        self._spelling = spelling
        self.problems: list[str] = []

    def structure(self, shape: Shape | None, given: Json, place: str) -> dict[str, Any]:
        if not isinstance(given, dict):
            return self._unfit(place, "an object") or {}
        names, problems = named(shape, given, self._spelling)
        self.problems += problems
        return {
            name: self.value(shape.members[name], given[key], key)
            for key, name in names.items()
            if shape is not None and given[key] is not None
        }

    def value(self, shape: Shape, given: Json, place: str) -> Any:
        if getattr(shape, "is_document_type", False):
            return given
        match shape.type_name:
            case "structure":
                return self.structure(shape, given, place)
            case "list" if isinstance(given, list):
                return [self.value(shape.member, each, place) for each in given]
            case "map" if isinstance(given, dict):
                return {key: self.value(shape.value, each, place) for key, each in given.items()}
            case "list" | "map" as kind:
                return self._unfit(place, "an array" if kind == "list" else "an object")
            case kind:
                return self._scalar(kind, given, place)

    def _scalar(self, kind: str, given: Json, place: str) -> Any:
        what, convert = _SCALARS.get(kind, ("a string", _text))
        if kind == "blob" and not self._spelling.bytes_as_text and isinstance(given, str):
            what, convert = "base64", _decoded
        try:
            return convert(given)
        except (ValueError, TypeError, OverflowError, binascii.Error):
            return self._unfit(place, what)

    def _unfit(self, place: str, what: str) -> Any:
        said = f"The field '{place}' must be {what}" if place else f"The parameters must be {what}"
        self.problems.append(said)
        return None


def _text(given: Json) -> str:
    return given if isinstance(given, str) else orjson.dumps(given).decode()


def _decoded(given: str) -> bytes:
    return base64.b64decode(given, validate=True)


def _integer(given: Json) -> int:
    if isinstance(given, bool) or (isinstance(given, float) and not given.is_integer()):
        raise TypeError
    return int(given)


def _number(given: Json) -> float:
    if isinstance(given, bool):
        raise TypeError
    return float(given)


def _boolean(given: Json) -> bool:
    if isinstance(given, bool):
        return given
    return {"true": True, "false": False}[given]


def _moment(given: Json) -> datetime:
    from botocore.utils import parse_to_aware_datetime

    if isinstance(given, bool):
        raise TypeError
    found: datetime = parse_to_aware_datetime(given)
    return found


_SCALARS: Final[dict[str, tuple[str, Callable[[Json], Any]]]] = {
    "integer": ("an integer", _integer),
    "long": ("an integer", _integer),
    "float": ("a number", _number),
    "double": ("a number", _number),
    "boolean": ("a boolean", _boolean),
    "timestamp": ("a timestamp", _moment),
    "blob": ("a string", lambda given: _text(given).encode()),
}


# --------------------------------------------------------------------------- answers
def to_document(shape: Shape | None, answer: Any, spelling: Spelling) -> Json:
    """What AWS shows of botocore's answer."""
    if shape is None or getattr(shape, "is_document_type", False):
        return answer
    kind = shape.type_name
    if kind == "structure" and isinstance(answer, dict):
        return {
            spelling.member(name): to_document(shape.members[name], value, spelling)
            for name, value in answer.items()
            if name in shape.members
        }
    if kind == "list" and isinstance(answer, list):
        return [to_document(shape.member, each, spelling) for each in answer]
    if kind == "map" and isinstance(answer, dict):
        return {key: to_document(shape.value, each, spelling) for key, each in answer.items()}
    return _shown(answer, as_text=spelling.bytes_as_text)


def _shown(answer: Any, *, as_text: bool) -> Json:
    """One value: moments as Java writes them, bytes as text."""
    match answer:
        case datetime():
            return _instant(answer)
        case bytes():
            return _shown_bytes(answer, as_text=as_text)
        case _ if hasattr(answer, "read"):
            return _shown_bytes(answer.read(), as_text=as_text)
        case _:
            return answer


def _shown_bytes(content: bytes, *, as_text: bool) -> str:
    if as_text:
        try:
            return content.decode()
        except UnicodeDecodeError:
            pass
    return base64.b64encode(content).decode()


def _instant(moment: datetime) -> str:
    """As Java writes an Instant: without a fraction, or with three or six digits of it."""
    precision = "seconds"
    if moment.microsecond:
        precision = "microseconds" if moment.microsecond % 1000 else "milliseconds"
    text = moment.astimezone(UTC).isoformat(timespec=precision)
    return text.removesuffix("+00:00") + "Z"

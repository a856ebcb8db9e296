"""What a trigger makes of a message: filtered, an execution's name and input, or never. Pure.

The dice of name and input are thrown from the message's own coordinates, so that a message that is
delivered again gets the name that it had.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from random import Random
from typing import Any, NamedTuple, TypeAlias

import orjson

from gateway.asl.errors import ExpressionError, StateError
from gateway.asl.references import compile_free_expression, compile_free_template
from gateway.asl.scope import Expression, Scope
from gateway.errors import ConfigError, Problem
from gateway.sources.protocol import Message
from gateway.triggers.names import clean_name
from gateway.triggers.pattern import Matches, compile_pattern

Json: TypeAlias = Any

INPUT_BYTES_MAX = 262_144
_REASON_CHARACTERS = 400
"""AWS's words often end with the whole document. The letter keeps that anyway; the log and the
sender need not have it."""


class Accepted(NamedTuple):
    """The message starts an execution of this name with this input (JSON text)."""

    name: str
    input: str


@dataclass(frozen=True, slots=True)
class Unwanted:
    """The filter rejects the message."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """The message can never be taken, for this reason."""

    reason: str


Verdict: TypeAlias = Accepted | Unwanted | Unfit


@dataclass(frozen=True, slots=True)
class Mapping:
    """A trigger's filter, name and input, compiled (``compile_mapping``)."""

    trigger: str
    source: str
    """The source's type, as ``sqs``."""
    matches: Matches | None
    """None: every message is wanted."""
    name: Expression | None
    input: Expression | None

    def document(self, message: Message) -> dict[str, Json]:
        """The message as filter, name and input see it: the same shape for every source."""
        common = {
            "id": message.id,
            "source": self.source,
            "trigger": self.trigger,
            "received_at": iso_time(message.received_at),
            "body": message.body,
        }
        return {**common, **message.members, **common}

    def judge(self, message: Message) -> Verdict:
        """What becomes of the message. Any exception from here is a bug, not a verdict."""
        if message.unfit is not None:
            # Before the filter, which would have to look at what nobody could read.
            return Unfit(message.unfit)
        if self.matches is None and self.name is None and self.input is None:
            # Nothing looks at the document, which takes longer to make than all the rest.
            return _accepted(clean_name(self._default_name(message)), message.body)
        document = self.document(message)
        if self.matches is not None and not self.matches(document):
            return Unwanted()
        scope = Scope(document, dict, lambda: self._dice(message))
        try:
            name = clean_name(self._name(message, scope))
            made = self.input(scope) if self.input else message.body
        except StateError as failed:
            return Unfit(_shortened(f"{failed.error}: {failed.cause}"))
        return _accepted(name, made)

    def _name(self, message: Message, scope: Scope) -> str:
        if self.name is None:
            return self._default_name(message)
        made = self.name(scope)
        if isinstance(made, int) and not isinstance(made, bool):
            return str(made)
        if not isinstance(made, str) or not made:
            raise StateError("States.Runtime", f"name must give a text, not {repr(made)[:100]}")
        return made

    def _default_name(self, message: Message) -> str:
        # Senders of webhooks choose their ids: ``b-c`` of the trigger ``a`` must not be taken for
        # ``c`` of ``a-b``. What is no legal name gets a digest.
        between = "/" if self.source == "webhook" and "-" in self.trigger else "-"
        return f"{self.trigger}{between}{message.default_name}"

    def _dice(self, message: Message) -> Random:
        seed = sha256(f"{self.trigger}\0{message.default_name}".encode("utf-8", "surrogatepass"))
        return Random(seed.digest())


def compile_mapping(
    trigger: str,
    source: str,
    *,
    filter: Json = None,  # noqa: A002 - the name of the YAML key
    name: str | None = None,
    input: Json = None,  # noqa: A002 - the name of the YAML key
) -> Mapping:
    """Compile a trigger's three rules; None is the default of each.

    Raises ConfigError with every problem; paths begin with ``filter``, ``name`` or ``input``.
    """
    problems: list[Problem] = []

    def attempt(path: str, compile_one: Callable[[], Any]) -> Any:
        try:
            return compile_one()
        except ConfigError as bad:
            problems.extend(bad.problems)
        except ExpressionError as bad:
            why = f": {bad.__cause__}" if bad.__cause__ else ""
            problems.append(Problem(path, f"{bad}{why}"))
        return None

    mapping = Mapping(
        trigger,
        source,
        attempt("filter", lambda: None if filter is None else compile_pattern(filter, "filter")),
        attempt("name", lambda: None if name is None else _compile_name(name)),
        attempt("input", lambda: None if input is None else compile_free_template(input)),
    )
    if problems:
        raise ConfigError(problems)
    return mapping


def _compile_name(name: str) -> Expression:
    if name.lstrip().startswith("{%"):
        raise ExpressionError(
            "JSONata is not supported yet: use a path or an intrinsic function, as $.body.id"
        )
    return compile_free_expression(name, field="name")


def iso_time(at: int) -> str:
    """Milliseconds since the epoch as ``2026-11-23T13:38:00.123Z``."""
    seconds, millis = divmod(at, 1000)
    return f"{_iso_second(seconds)}.{millis:03}Z"


@lru_cache(maxsize=16)
def _iso_second(seconds: int) -> str:
    # Messages come in batches, whose times are the same.
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def _accepted(name: str, made: Json) -> Verdict:
    try:
        text = orjson.dumps(made)
    except TypeError as bad:
        return Unfit(f"the input cannot be written as JSON: {bad}")
    if len(text) > INPUT_BYTES_MAX:
        return Unfit(
            f"the input has {len(text)} bytes; an execution takes at most {INPUT_BYTES_MAX}"
        )
    return Accepted(name, text.decode())


def _shortened(reason: str) -> str:
    return reason if len(reason) <= _REASON_CHARACTERS else f"{reason[:_REASON_CHARACTERS]}…"

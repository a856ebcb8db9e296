"""How the ARNs of Step Functions are built and read: the one place that knows their form.

``arn:aws:states:<region>:<account>:<kind>:<name>[:…]``; ``gateway.asl`` does not know it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from uuid import uuid4

from gateway.errors import ApiError

_FORM: Final = re.compile(
    r"arn:(aws[a-z-]*):states:([a-z0-9-]+):(\d{12}):([A-Za-z]+):(.+)", re.DOTALL
)
_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.+", re.DOTALL)
_KINDS: Final = frozenset({"stateMachine", "activity", "execution", "express", "mapRun"})


class Arns(NamedTuple):
    """The ARNs of one region and account."""

    region: str
    account: str

    def machine(self, name: str) -> str:
        """The state machine's ARN."""
        return self._of("stateMachine", name)

    def activity(self, name: str) -> str:
        """The activity's ARN."""
        return self._of("activity", name)

    def execution(self, machine_name: str, name: str) -> str:
        """The execution's ARN; machine and name make it unique."""
        return self._of("execution", f"{machine_name}:{name}")

    def express(self, machine_name: str, name: str) -> str:
        """The ARN of an Express execution; the names of those are not unique."""
        return self._of("express", f"{machine_name}:{name}:{uuid4()}")

    def _of(self, kind: str, rest: str) -> str:
        return f"arn:aws:states:{self.region}:{self.account}:{kind}:{rest}"


def qualified(machine_arn: str, qualifier: int | str | None) -> str | None:
    """The ARN of a machine's version or alias; None where there is none."""
    return None if qualifier is None else f"{machine_arn}:{qualifier}"


def unqualified(machine_arn: str) -> str:
    """The machine's ARN, of one that may be that of a version or alias."""
    return ":".join(machine_arn.split(":")[:7])


class Arn(NamedTuple):
    """An ARN taken apart."""

    kind: str
    """stateMachine | activity | execution | express | mapRun"""
    name: str
    """The machine's or activity's name."""
    rest: tuple[str, ...]
    """What follows: a version or alias; the execution's name."""


def read_arn(text: str, *kinds: str) -> Arn:
    """Take an ARN apart. Raises ApiError InvalidArn unless it is one of ``kinds`` (none: any)."""
    if not text.startswith("arn:aws"):
        raise _invalid(f"Invalid ARN prefix: {text}")
    form = _FORM.fullmatch(text)
    if form is None:
        raise _invalid(f"{text} is not of the form arn:aws:states:<region>:<account>:<type>:<name>")
    kind = form[4]
    if kind not in (kinds or _KINDS):
        raise _invalid(f"Resource type not valid in this context: {kind}")
    name, *rest = form[5].split(":")
    return Arn(kind, name, tuple(rest))


def check_role(arn: str) -> None:
    """Raise ApiError InvalidArn unless it has the form of a role's ARN."""
    if _ROLE.fullmatch(arn) is None:
        raise ApiError("InvalidArn", f"Invalid Role Arn: '{arn}'")


def refuse_label(machine_arn: str) -> None:
    """Raise ApiError ValidationException for the ARN of a Distributed Map state,
    ``…:stateMachine:<machine>/<label>``, where that of a machine has to be."""
    if "/" in machine_arn:
        message = f"A Distributed Map state is not allowed here: '{machine_arn}'"
        raise ApiError("ValidationException", message)


def execution_key(arn: str) -> tuple[str, str]:
    """The machine's ARN and the name that an execution's ARN is made of; for any other text a pair
    that no execution has."""
    start, _, rest = arn.partition(":execution:")
    machine, _, name = rest.rpartition(":")
    return f"{start}:stateMachine:{machine}", name


def _invalid(reason: str) -> ApiError:
    return ApiError("InvalidArn", f"Invalid Arn: '{reason}'")

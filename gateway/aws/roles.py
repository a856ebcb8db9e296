"""What the role that a task names in its Credentials stands for: as whom its service is called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Final, NamedTuple, TypeAlias

from pydantic import AfterValidator

from gateway.strict import Strict

_ROLE: Final = re.compile(r"arn:[a-z*-]+:iam::(\d{12}|\*):role/.+")


def _role_arn(text: str) -> str:
    if not _ROLE.fullmatch(text):
        raise ValueError(
            "is no ARN of a role, as arn:aws:iam::123456789012:role/orders; * stands for any "
            "characters"
        )
    return text


RoleArn: TypeAlias = Annotated[str, AfterValidator(_role_arn)]


class RoleSettings(Strict):
    """As whom tasks call whose Credentials name the role."""

    profile: str | None = None
    """Profile of AWS's configuration files whose credentials are taken. Default: the daemon's own
    credentials."""
    assume: bool | None = None
    """Whether the role is assumed with these credentials, by STS; otherwise they are used as they
    are. Default: true without a profile, false with one."""
    external_id: str | None = None
    """What the role's trust policy asks of those who assume it."""


class Identity(NamedTuple):
    """As whom a service is called."""

    profile: str | None = None
    """None: with the daemon's own credentials."""
    role: str | None = None
    """The role to assume with them."""
    external_id: str | None = None


OWN: Final = Identity()


def identity_of(role: str | None, roles: Mapping[str, RoleSettings]) -> Identity:
    """As whom a task calls; of several entries that name its role, the first one says. A role that
    none names is assumed, as AWS does."""
    if role is None:
        return OWN
    named = (settings for pattern, settings in roles.items() if fnmatchcase(role, pattern))
    found = next(named, RoleSettings())
    assume = found.profile is None if found.assume is None else found.assume
    return Identity(found.profile, role if assume else None, found.external_id if assume else None)

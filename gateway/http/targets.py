"""What a configuration may say of where requests go: URLs and headers. Pure."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from ipaddress import ip_address
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, HttpUrl, SecretStr, WithJsonSchema


def _check_user_name(name: str) -> str:
    if not name or ":" in name:
        raise ValueError("must be a name without a colon: what follows one would be the password")
    return name


UserName: TypeAlias = Annotated[
    str, AfterValidator(_check_user_name), WithJsonSchema({"type": "string", "pattern": "^[^:]+$"})
]
"""A user's name for `Authorization: Basic`."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


def check_url(url: HttpUrl, *, allow_private: bool) -> None:
    """Raises ValueError where it holds a secret or leads nowhere that it may."""
    if url.username or url.password:
        raise ValueError("url: a name or password in it would be logged; use headers instead")
    if not allow_private and _is_private_literal(url.host or ""):
        raise ValueError(f"url: {url.host} is no public address; allow_private: true permits it")


def check_headers(headers: Mapping[str, SecretStr], ours: Container[str]) -> None:
    """Raises ValueError where a header cannot be sent, or is one of ``ours`` (in lower case)."""
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of an HTTP header")
        if name.lower() in ours:
            raise ValueError(f"{name} is set by Stategate itself; leave it out")
        if not _HEADER_VALUE.fullmatch(value.get_secret_value()):
            raise ValueError(f"the value of {name} must be visible ASCII, without space around it")


def _is_private_literal(host: str) -> bool:
    # Only now: it brings an HTTP library along.
    from gateway.http.guard import is_public

    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return not is_public(host.strip("[]"))

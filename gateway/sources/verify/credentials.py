"""Credentials in the ``Authorization`` header: a bearer token, or a name with a password."""

from __future__ import annotations

import base64
from typing import Literal

from gateway.http.targets import UserName
from gateway.sources.verify.secrets import Secrets, is_one_of
from gateway.sources.verify.verdict import Arrival, Forged, Genuine
from gateway.strict import Strict


class Bearer(Strict):
    """`Authorization: Bearer <token>`."""

    type: Literal["bearer"]
    """`bearer`"""
    token: Secrets
    """The token, or a list of them while one is being replaced."""

    def check(self, arrival: Arrival) -> Genuine | Forged:
        """Whether the request carries one of the tokens."""
        expected = [one.get_secret_value().encode() for one in self.token]
        return _check(arrival, "Bearer", expected)


class Basic(Strict):
    """`Authorization: Basic <base64 of username:password>`."""

    type: Literal["basic"]
    """`basic`"""
    username: UserName
    """The user's name; it has no colon."""
    password: Secrets
    """The password, or a list of them while one is being replaced."""

    def check(self, arrival: Arrival) -> Genuine | Forged:
        """Whether the request carries the name and one of the passwords."""
        pairs = [f"{self.username}:{one.get_secret_value()}" for one in self.password]
        return _check(arrival, "Basic", [base64.b64encode(pair.encode()) for pair in pairs])


def _check(arrival: Arrival, scheme: str, expected: list[bytes]) -> Genuine | Forged:
    """Compare what follows the scheme's name (in any case, as RFC 9110 has it)."""
    written, _, given = arrival.headers.get("authorization", "").partition(" ")
    if written.lower() == scheme.lower() and is_one_of(given.strip().encode(), expected):
        return Genuine()
    return Forged(f"{scheme} credentials are missing or wrong", challenge=scheme)

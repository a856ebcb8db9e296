"""Why a call of a service brought no answer."""

from __future__ import annotations


class NoAws(Exception):
    """There are no credentials, or no such region; the message is botocore's."""


class NotAssumed(NoAws):
    """AWS does not let us have a role."""

"""What a state machine has besides definition and role: logging, tracing, encryption. Pure.

They are kept with the revision as JSON text in one canonical form, so that two texts are equal
exactly when the settings are.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import orjson

from gateway.errors import ApiError

Settings: TypeAlias = dict[str, Any]
"""Members as CreateStateMachine names them: loggingConfiguration, tracingConfiguration, …"""

_DEFAULTS: Final[Settings] = {
    "loggingConfiguration": {"level": "OFF", "includeExecutionData": False},
    "tracingConfiguration": {"enabled": False},
    "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
}


def merge_settings(stored: str, changes: Settings) -> str:
    """The stored settings with those that ``changes`` names put in their place. Raises ApiError."""
    merged = {**_DEFAULTS, **orjson.loads(stored), **changes}
    for name, default in _DEFAULTS.items():
        merged[name] = {**default, **merged[name]}
    _check_logging(merged["loggingConfiguration"])
    _check_encryption(merged["encryptionConfiguration"])
    return orjson.dumps(merged, option=orjson.OPT_SORT_KEYS).decode()


def read_settings(stored: str) -> Settings:
    """The settings that ``merge_settings`` wrote."""
    settings: Settings = orjson.loads(stored)
    return settings


def _check_logging(logging: Settings) -> None:
    destinations = logging.get("destinations", ())
    groups = [each.get("cloudWatchLogsLogGroup", {}).get("logGroupArn") for each in destinations]
    if len(groups) > 1 or (logging["level"] != "OFF" and not any(groups)):
        reason = "Must specify exactly one Log Destination."
        raise ApiError("InvalidLoggingConfiguration", f"Invalid Logging Configuration: {reason}")


def _check_encryption(encryption: Settings) -> None:
    if encryption["type"] != "AWS_OWNED_KEY":
        reason = "Stategate keeps its data in its own database; only AWS_OWNED_KEY is accepted."
        raise ApiError(
            "InvalidEncryptionConfiguration", f"Invalid Encryption Configuration: '{reason}'"
        )

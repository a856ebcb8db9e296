"""The names that AWS's SDK for Java gives to what a service's model holds.

Step Functions calls services through that SDK, so its Resources, members of parameters and results,
and names of errors are the SDK's, and not those of the service's own API.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

_BOUNDARIES: Final = (
    # SESv2, ApiGatewayV2: a version is a word.
    re.compile(r"(?<=[^a-z]{2})(?=v\d)|(?<=[^A-Z]{2})(?=V\d)"),
    # AcmSuccess
    re.compile(r"(?<=[a-z])(?=[A-Z][A-Za-z0-9])"),
    # ACMSuccess
    re.compile(r"(?<=[A-Z])(?=[A-Z][a-z])"),
    # Ec2instance
    re.compile(r"(?<=\d)(?=[A-Za-z])"),
)
_ENDINGS: Final = re.compile(r"(Fault|Exception)$")
_LEADING: Final = re.compile(r"[A-Z](?:[A-Z](?![a-z]))*")
_NO_JAVA: Final = {"NULL": "Nul"}
"""Members whose name is a word of Java."""


def pascal(name: str) -> str:
    """``SFN`` -> Sfn, ``CloudWatch Logs`` -> CloudWatchLogs, ``DynamoDB`` -> DynamoDb."""
    words = re.sub(r"[^A-Za-z0-9]+", " ", name)
    for boundary in _BOUNDARIES:
        words = boundary.sub(" ", words)
    return "".join(word.capitalize() for word in words.split())


@cache
def service_name(service_id: str) -> str:
    """What errors of a service begin with; in lower case, what a Resource calls it."""
    name = pascal(service_id)
    for leading in ("Amazon", "Aws"):
        name = name.removeprefix(leading)
    return name.removesuffix("Service")


@cache
def exception_name(shape: str) -> str:
    """``NoSuchKey`` -> NoSuchKeyException, ``DBClusterNotFoundFault`` ->
    DbClusterNotFoundException."""
    return pascal(_ENDINGS.sub("", shape)) + "Exception"


@cache
def member_name(name: str) -> str:
    """``stateMachineArn`` -> StateMachineArn, ``DBClusters`` -> DbClusters, ``ETag`` -> ETag."""
    if name in _NO_JAVA:
        return _NO_JAVA[name]
    acronym = _LEADING.match(name)
    return (acronym[0].capitalize() + name[acronym.end() :]) if acronym else capital(name)


def capital(name: str) -> str:
    """With a capital letter in front."""
    return name[:1].upper() + name[1:]


def action_name(operation: str) -> str:
    """``PutItem`` -> putItem."""
    return operation[:1].lower() + operation[1:]

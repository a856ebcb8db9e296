"""What a Task's Resource says: which family of history events it has, its service and action, and
how the task ends."""

from __future__ import annotations

import re
from typing import Final

ACTIVITY: Final = "Activity"
LAMBDA: Final = "LambdaFunction"
TASK: Final = "Task"

CALLBACK: Final = ".waitForTaskToken"
SYNC: Final = ".sync"
SYNC_PARSED: Final = ".sync:2"
_PATTERNS: Final = (CALLBACK, SYNC, SYNC_PARSED)

_ACTIVITY = re.compile(r"arn:[^:]+:states:[^:]*:[^:]*:activity:.+")
_LAMBDA = re.compile(r"arn:[^:]+:lambda:[^:]*:[^:]*:function:.+")
_INTEGRATION = re.compile(r"arn:[^:]+:states:[^:]*:[^:]*:(aws-sdk:[^:]+|[^:]+):(.+)")


def family(resource: str) -> str:
    """The word that AWS's task events begin with: Activity, LambdaFunction or Task."""
    if _ACTIVITY.fullmatch(resource):
        return ACTIVITY
    return LAMBDA if _LAMBDA.fullmatch(resource) else TASK


def name_in_errors(resource: str) -> str:
    """How AWS names the task where its result is too large: by its service, or the whole
    Resource."""
    return parts(resource)[0] if family(resource) == TASK else resource


def parts(resource: str) -> tuple[str, str]:
    """Service and action of an integration: ``arn:aws:states:::sqs:sendMessage`` -> sqs,
    sendMessage."""
    found = _INTEGRATION.fullmatch(resource)
    return (found[1], found[2]) if found else ("", resource)


def pattern(resource: str) -> str:
    """How a task ends that is not over with the answer to its call: CALLBACK (somebody has its
    token), SYNC or SYNC_PARSED (what it has begun ends); otherwise nothing."""
    if not resource.endswith(_PATTERNS) or family(resource) != TASK:
        return ""
    return next(each for each in _PATTERNS if resource.endswith(each))


def called(resource: str) -> str:
    """The Resource that is called: waiting for a token is the same for all of them, so that is no
    part of it; how something is begun whose end is waited for is."""
    return resource.removesuffix(CALLBACK) if pattern(resource) == CALLBACK else resource

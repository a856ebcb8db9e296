"""What a worker process finds in its environment. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.workers.settings import WorkerSettings

_NOT_FOR_WORKERS = frozenset(
    {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}
)
"""What systemd told the daemon alone."""
_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_SHARED_CREDENTIALS_FILE",
)
"""Where one of these is set, boto3 finds credentials of its own."""
_PLACEHOLDER = {"AWS_ACCESS_KEY_ID": "stategate", "AWS_SECRET_ACCESS_KEY": "stategate"}
"""boto3 signs with something; the API on loopback serves any signature."""


@dataclass(frozen=True, slots=True)
class Post:
    """Where a worker works: what it polls, and how it gets there."""

    activity_arn: str
    endpoint_url: str
    """Of our API, as a worker on this machine reaches it."""
    region: str


def environment(
    inherited: Mapping[str, str], post: Post, settings: WorkerSettings, process_name: str
) -> dict[str, str]:
    """The whole environment of one process: the daemon's, then ours, then the file's ``env``."""
    kept = {name: value for name, value in inherited.items() if name not in _NOT_FOR_WORKERS}
    ours = {
        "ACTIVITY_ARN": post.activity_arn,
        "AWS_DEFAULT_REGION": post.region,
        "AWS_ENDPOINT_URL_SFN": post.endpoint_url,
        "AWS_REGION": post.region,
        "PYTHONUNBUFFERED": "1",
        "WORKER_NAME": process_name,
    }
    credentials = {} if _has_credentials({**kept, **settings.env}) else _PLACEHOLDER
    return {**kept, **ours, **credentials, **settings.env}


def _has_credentials(variables: Mapping[str, str]) -> bool:
    if any(variables.get(name) for name in _CREDENTIALS):
        return True
    home = variables.get("HOME")
    return bool(home) and (Path(str(home)) / ".aws" / "credentials").is_file()

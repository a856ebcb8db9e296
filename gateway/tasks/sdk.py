"""What an answer of an AWS service looks like in the result of a task: as AWS's SDK for Java, which
AWS itself calls with, shows it."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.tasks.protocol import Json


def http_metadata(status: int, headers: Sequence[tuple[str, str]]) -> dict[str, Json]:
    """SdkHttpMetadata and SdkResponseMetadata, which every optimised integration adds."""
    every: dict[str, list[str]] = {}
    for name, value in headers:
        every.setdefault(name, []).append(value)
    request_id = next((v for name, v in headers if name.lower() == "x-amzn-requestid"), None)
    return {
        "SdkHttpMetadata": {
            "AllHttpHeaders": every,
            "HttpHeaders": dict(headers),
            "HttpStatusCode": status,
        },
        "SdkResponseMetadata": {"RequestId": request_id},
    }

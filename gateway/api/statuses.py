"""Which HTTP status an error code of the API has: the one table."""

from __future__ import annotations

from typing import Final

INTERNAL_FAILURE: Final = "InternalFailure"
NOT_SERVED: Final = "NotImplementedException"
UNAVAILABLE: Final = "ServiceUnavailableException"
TOO_LARGE: Final = "RequestEntityTooLargeException"
TOO_SLOW: Final = "RequestTimeoutException"
UNKNOWN_OPERATION: Final = "UnknownOperationException"

_STATUSES: Final = {
    **dict.fromkeys(
        (
            "MissingAuthenticationTokenException",
            "IncompleteSignatureException",
            "InvalidSignatureException",
            "UnrecognizedClientException",
        ),
        403,
    ),
    INTERNAL_FAILURE: 500,
    NOT_SERVED: 501,
    UNAVAILABLE: 503,
    TOO_LARGE: 413,
    TOO_SLOW: 408,
}


def http_status(code: str) -> int:
    """The status with which AWS answers this code; 400 for all that is the caller's doing."""
    return _STATUSES.get(code, 400)

"""JSON 1.0 over HTTP: bodies in, bodies out, the form of an error."""

from __future__ import annotations

import json
from typing import Any, Final, TypeAlias

import orjson
from starlette.responses import Response as HttpResponse

from gateway.api.statuses import http_status
from gateway.errors import ApiError
from gateway.json_text import loads

Json: TypeAlias = Any
_MEDIA_TYPE: Final = "application/x-amz-json-1.0"


def read_body(body: bytes) -> Json:
    """The request's members; no body is an empty one. Raises ApiError SerializationException."""
    try:
        return _read(body) if body else {}
    except (ValueError, RecursionError) as error:
        message = f"The request's body is not JSON: {error}"
        raise ApiError("SerializationException", message) from error


def _read(body: bytes) -> Json:
    try:
        return loads(body)
    except orjson.JSONDecodeError as error:
        if "surrogate" not in error.msg:
            raise
    # Java has such texts, and writes a question mark for the half of a character.
    text = json.dumps(json.loads(body), ensure_ascii=False)
    return orjson.loads(text.encode(errors="replace"))


def answer(members: Json, request_id: str, status: int = 200) -> HttpResponse:
    """An answer with these members."""
    headers = {"x-amzn-requestid": request_id}
    return HttpResponse(orjson.dumps(members), status, headers, _MEDIA_TYPE)


def error_answer(
    error: ApiError, request_id: str, retry_after: float | None = None
) -> HttpResponse:
    """The answer that botocore raises as an exception of the error's code."""
    members = {"__type": error.code, "message": error.message}
    response = answer(members, request_id, http_status(error.code))
    if retry_after is not None:
        response.headers["retry-after"] = str(max(1, round(retry_after)))
    return response

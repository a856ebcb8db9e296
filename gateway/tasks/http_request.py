"""What an HTTP task asks for, and what it is shown of the answer. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from email.message import Message
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import orjson
from pydantic import SecretStr

from gateway.asl.documents import read_document
from gateway.tasks.connection import Connection
from gateway.tasks.protocol import Json, TaskFailure

if TYPE_CHECKING:
    from gateway.aws.connections import Reply

_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_NOT_THE_TASKS: Final = frozenset({
    "a-im", "accept-charset", "accept-datetime", "accept-encoding",
    "cache-control", "connection", "content-encoding", "content-length", "content-md5", "date",
    "expect", "forwarded", "from", "host", "http2-settings", "if-match", "if-modified-since",
    "if-none-match", "if-range", "if-unmodified-since", "max-forwards", "origin", "pragma",
    "proxy-authorization", "referer", "server", "te", "trailer", "transfer-encoding", "upgrade",
    "via", "warning",
})  # fmt: skip
_NOT_THE_TASKS_BEGINNINGS: Final = ("x-forwarded-", "x-amz-", "x-amzn-")
_FORM: Final = "application/x-www-form-urlencoded"
_ARRAYS: Final[dict[str, Callable[[str, int], str]]] = {
    "BRACKETS": lambda name, _number: f"{name}[]",
    "INDICES": lambda name, number: f"{name}[{number}]",
    "REPEAT": lambda name, _number: name,
}
"""How each element of an array is named in a form."""


class HttpRequest(NamedTuple):
    """As it goes out."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes

    def under(self, headers: Mapping[str, str]) -> HttpRequest:
        """With these headers where it has none of their names."""
        return self._replace(headers={**headers, **self.headers})


def to_request(given: Json, connection: Connection, proof: Mapping[str, str]) -> HttpRequest:
    """The request of a task that uses a connection. Raises TaskFailure States.Runtime."""
    method, url = text_of(given, "Method"), endpoint_of(given)
    if method not in _METHODS:
        raise unusable(f"The method {method} is none of {', '.join(sorted(_METHODS))}")
    if not connection.permits(url):
        raise unusable(f"The connection may not be used for {url}")
    headers = _merged(_headers(given), _plain(connection.headers), proof)
    query = object_of(given, "QueryParameters") | _plain(connection.query)
    if query:
        pairs = [(name, _text(each)) for name, value in query.items() for each in _each(value)]
        url += ("&" if urlsplit(url).query else "?") + urlencode(pairs, quote_via=quote)
    return HttpRequest(method, url, headers, _body(given, connection, headers))


def to_result(reply: Reply) -> dict[str, Json]:
    """What the task is shown."""
    headers: dict[str, list[str]] = {}
    for name, value in reply.headers:
        headers.setdefault(name.lower(), []).append(value)
    return {
        "Headers": headers,
        "ResponseBody": _shown(reply),
        "StatusCode": reply.status,
        "StatusText": status_text(reply.status),
    }


def status_text(status: int) -> str:
    """``Not Found`` for 404."""
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else ""


def endpoint_of(given: Json) -> str:
    """Where the task asks. Raises TaskFailure."""
    url = text_of(given, "ApiEndpoint")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise unusable(f"The ApiEndpoint {url} is no URL of https or http")
    return quote(url, safe="%/:?#[]@!$&'()*+,;=~").partition("#")[0]


def text_of(given: Json, name: str) -> str:
    """A member that has to be a text. Raises TaskFailure."""
    value = given.get(name) if isinstance(given, dict) else None
    if not isinstance(value, str):
        raise unusable(f"The field {name} has to be a string")
    return value


def object_of(given: dict[str, Json], name: str) -> dict[str, Json]:
    """A member that may be an object. Raises TaskFailure."""
    value = given.get(name)
    if value is not None and not isinstance(value, dict):
        raise unusable(f"The field {name} has to be an object")
    return dict(value or {})


def unusable(cause: str) -> TaskFailure:
    """What the task asks for cannot be asked."""
    return TaskFailure("States.Runtime", cause)


def _headers(given: dict[str, Json]) -> dict[str, str]:
    headers = {}
    for name, value in object_of(given, "Headers").items():
        lower = name.lower()
        if lower in _NOT_THE_TASKS or lower.startswith(_NOT_THE_TASKS_BEGINNINGS):
            raise unusable(f"The header {name} is not the task's to set")
        headers[name] = ",".join(map(_text, _each(value)))
    return headers


def _merged(*layers: Mapping[str, str]) -> dict[str, str]:
    """Headers, of which a later one of the same name counts."""
    found = {name.lower(): (name, value) for layer in layers for name, value in layer.items()}
    return dict(found.values())


def _body(given: dict[str, Json], connection: Connection, headers: dict[str, str]) -> bytes:
    """The body; says in the headers what it is, where they do not."""
    body = given.get("RequestBody")
    if connection.body and (body is None or isinstance(body, dict)):
        body = (body or {}) | _plain(connection.body)
    if body is None:
        return b""
    transform = object_of(given, "Transform")
    named = {name.lower(): value for name, value in headers.items()}
    if transform.get("RequestBodyEncoding") == "URL_ENCODED":
        if not isinstance(body, dict):
            raise unusable("A RequestBody that is encoded as a form has to be an object")
        options = object_of(transform, "RequestEncodingOptions")
        if "content-type" not in named:
            headers["Content-Type"] = _FORM
        return urlencode(list(_form(body, options.get("ArrayFormat", "INDICES")))).encode()
    if isinstance(body, str) and "json" not in named.get("content-type", "json"):
        return body.encode()
    if "content-type" not in named:
        headers["Content-Type"] = "application/json"
    return orjson.dumps(body)


def _form(body: dict[str, Json], arrays: Any) -> Iterator[tuple[str, str]]:
    for name, value in body.items():
        yield from _fields(name, value, arrays)


def _fields(name: str, value: Json, arrays: Any) -> Iterator[tuple[str, str]]:
    """What one member is in a form: members of members have names in brackets."""
    match value:
        case dict():
            for key, below in value.items():
                yield from _fields(f"{name}[{key}]", below, arrays)
        case list() if arrays == "COMMAS":
            yield name, ",".join(map(_text, value))
        case list() if arrays in _ARRAYS:
            for number, below in enumerate(value):
                yield from _fields(_ARRAYS[arrays](name, number), below, arrays)
        case _:
            yield name, _text(value)


def _shown(reply: Reply) -> Json:
    """JSON as what it says, anything else as text."""
    kind = Message()
    kind["Content-Type"] = reply.header("content-type") or ""
    if "json" in kind.get_content_type() and reply.body:
        try:
            return read_document(reply.body)
        except ValueError:
            pass
    try:
        return reply.body.decode(str(kind.get_param("charset", "utf-8")), errors="replace")
    except LookupError:
        return reply.body.decode(errors="replace")


def _plain(secrets: Mapping[str, SecretStr]) -> dict[str, str]:
    return {name: secret.get_secret_value() for name, secret in secrets.items()}


def _each(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def _text(value: Json) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()

"""Addresses to listen on, written ``host:port``."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Any, NamedTuple, TypeAlias

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema


class Address(NamedTuple):
    """Where a listener is bound."""

    host: str
    """A name or an IP address, IPv6 without brackets."""
    port: int
    """0 lets the system choose a free one."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it; a name other than localhost may mean anything."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def parse_address(written: Any) -> Address:
    """``127.0.0.1:8083``, ``localhost:8083`` or ``[::1]:8083``; ValueError says what is wrong."""
    if isinstance(written, Address):
        return written
    host, _, port = written.rpartition(":") if isinstance(written, str) else ("", "", "")
    bracketed = host.startswith("[") and host.endswith("]")
    if not host or (":" in host and not bracketed) or not (port.isascii() and port.isdecimal()):
        raise ValueError("must be host:port, as 127.0.0.1:8083 or [::1]:8083")
    if int(port) > 65_535:
        raise ValueError(f"there is no port {port}; they end at 65535")
    return Address(host.strip("[]") if bracketed else host, int(port))


Listen: TypeAlias = Annotated[
    Address,
    PlainValidator(parse_address),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^.+:\d+$", "examples": ["127.0.0.1:8083"]}),
]
"""A pydantic field written ``host:port``."""

"""Which addresses a request may go to, checked where the connection is made.

Whoever may name a URL could otherwise make the daemon call services that trust its network:
metadata endpoints, databases, its own API. The check is on the very address that is connected to,
so a name that resolves differently a moment later (DNS rebinding) is of no help.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpcore
import trio

_NAT64 = IPv6Network("64:ff9b::/96")
_CONNECT_SECONDS = 5.0
"""For one address of a name; the next is tried after it."""


class PrivateAddress(httpcore.ConnectError):
    """The name leads to private, loopback or link-local addresses only."""


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, whichever way it is wrapped in IPv6."""
    parsed = ip_address(address)
    inner = _embedded(parsed) if isinstance(parsed, IPv6Address) else None
    if inner is not None:
        parsed = inner
    return parsed.is_global and not parsed.is_multicast


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a mapped, 6to4, Teredo or NAT64 address leads to."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour


class PublicOnly(httpcore.AsyncNetworkBackend):
    """Opens connections to public addresses only; the name stays what TLS and Host are about."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend) -> None:
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first public address of ``host`` that answers. Raises PrivateAddress."""
        *others, last = await _public_addresses(host, port)
        for address in others:
            try:
                return await self._inner.connect_tcp(
                    address, port, _CONNECT_SECONDS, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(last, port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Part of httpcore's seam."""
        await self._inner.sleep(seconds)


async def _public_addresses(host: str, port: int) -> list[str]:
    try:
        found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as failure:
        raise httpcore.ConnectError(f"{host} does not resolve: {failure.strerror}") from failure
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    public = [address for address in addresses if is_public(address)]
    if not public:
        raise PrivateAddress(
            f"{host} leads to {', '.join(addresses)}, which is no public address: "
            "set allow_private: true if that is meant"
        )
    return public

"""Which addresses count as public, and what the guard connects to."""

import httpcore
import pytest
import trio

from gateway.http.guard import PrivateAddress, PublicOnly, is_public


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses(address):
    """Addresses of the internet may be posted to."""
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::a9fe:a9fe",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
)
def test_private_addresses(address):
    """Addresses of this machine and its network may not, however they are wrapped in IPv6."""
    assert not is_public(address)


class Names(trio.abc.HostnameResolver):
    """A name service with one name."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def getaddrinfo(self, host, port, family=0, type=0, proto=0, flags=0):  # noqa: A002
        """All of its addresses."""
        if not self.addresses:
            raise OSError(-2, "Name or service not known")
        return [(2, 1, 6, "", (address, port)) for address in self.addresses]

    async def getnameinfo(self, sockaddr, flags):
        """Not asked for."""
        raise NotImplementedError


class Network(httpcore.AsyncNetworkBackend):
    """Notes where connections go; some addresses are down."""

    def __init__(self, *down: str) -> None:
        self.down = down
        self.tried: list[str] = []

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        """A stream, unless the address is down."""
        self.tried.append(host)
        if host in self.down:
            raise httpcore.ConnectError("refused")
        return httpcore.AsyncNetworkStream()


async def test_connects_to_the_address_that_was_checked():
    """The name is resolved once; private addresses among the public ones are passed over."""
    trio.socket.set_custom_hostname_resolver(Names("10.0.0.1", "8.8.8.8"))
    network = Network()
    await PublicOnly(network).connect_tcp("hooks.example.com", 443)
    assert network.tried == ["8.8.8.8"]


async def test_tries_the_next_address():
    """One address that is down is not the end."""
    trio.socket.set_custom_hostname_resolver(Names("8.8.8.8", "8.8.4.4"))
    network = Network("8.8.8.8")
    await PublicOnly(network).connect_tcp("hooks.example.com", 443)
    assert network.tried == ["8.8.8.8", "8.8.4.4"]


async def test_connects_to_nothing_private():
    """With private addresses only, no connection is tried."""
    trio.socket.set_custom_hostname_resolver(Names("10.0.0.1", "::1"))
    network = Network()
    with pytest.raises(PrivateAddress, match=r"leads to 10\.0\.0\.1, ::1"):
        await PublicOnly(network).connect_tcp("hooks.example.com", 443)
    assert not network.tried


async def test_a_name_that_does_not_resolve():
    """It is a failure of the connection like any other."""
    trio.socket.set_custom_hostname_resolver(Names())
    with pytest.raises(httpcore.ConnectError, match="does not resolve: Name or service"):
        await PublicOnly(Network()).connect_tcp("hooks.example.com", 443)

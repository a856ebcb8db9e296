"""What one connection, and all of them together, may cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of a listener; how large a body may be is the application's own matter."""

    idle_seconds: float = 30.0
    """A connection on which no request has begun for so long is closed."""
    head_seconds: float = 30.0
    """A request whose head is not whole so long after its first byte ends its connection."""
    body_seconds: float = 60.0
    """A request whose body is not whole so long after its head is given up."""
    write_seconds: float = 30.0
    """A client that has not taken one piece of its answer by then is given up."""
    linger_seconds: float = 2.0
    """How long the rest of a refused request is read, so that its sender can see the answer."""
    target_bytes_max: int = 8_192
    """The request's target: path and query."""
    head_bytes_max: int = 32_768
    """Request line and headers together; also what may come between two pieces of a body."""
    headers_max: int = 100
    """How many headers a request may have."""
    connections_max: int = 2_048
    """Further ones wait in the kernel's backlog until one of these has ended."""

"""Kafka as a source: the settings, as they stand in the YAML file.

Only settings and their checks live here. ``kafka_loop`` talks to the brokers, ``kafka_partition``
orders the work of each partition, ``kafka_message`` makes messages of records.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

import trio
from pydantic import (
    AfterValidator,
    AwareDatetime,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from gateway.durations import Duration
from gateway.sources.protocol import Intake
from gateway.store.rows import PositionRow
from gateway.strict import Strict


def _start(value: Any, parse: ValidatorFunctionWrapHandler) -> Any:
    """One message for the whole union, where pydantic would give one for each of its members."""
    try:
        if isinstance(value, str | datetime):
            return parse(value)
    except ValidationError:
        pass
    raise ValueError(
        "must be earliest, latest or an ISO 8601 time with its zone, such as 2026-01-31T00:00:00Z"
    )


def _addresses(value: Sequence[str]) -> tuple[str, ...]:
    """Split items at commas, as a broker list in an environment variable has them."""
    addresses = tuple(part.strip() for item in value for part in item.split(",") if part.strip())
    for address in addresses:
        host, colon, port = address.rpartition(":")
        if not (colon and host and port.isdecimal() and 0 < int(port) < 65536):
            raise ValueError(f"{address!r} must be host:port, such as kafka-1:9092")
    if not addresses:
        raise ValueError("must name at least one broker as host:port")
    return addresses


Start: TypeAlias = Annotated[Literal["earliest", "latest"] | AwareDatetime, WrapValidator(_start)]
Topic: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9._-]+$", min_length=1, max_length=249),
    Field(examples=["shop.orders"]),
]


_LOGIN = ("sasl_mechanism", "username", "password")
_TLS = ("ca_file", "cert_file", "key_file", "key_password")


class KafkaSource(Strict):
    """Messages of Kafka topics, read as a member of a consumer group.

    Each partition is read in order and apart from the others. Its position is written in the same
    transaction as the executions that it covers, so nothing is lost or started twice by a crash, a
    rebalance or a broker's restart. Offsets go to the broker as well, for tools that show lag.
    """

    # Measured: a quarter less CPU for each message than with 64, and no more gain beyond.
    usual_concurrency: ClassVar[int] = 500

    type: Literal["kafka"]
    """`kafka`"""
    brokers: Annotated[tuple[str, ...], AfterValidator(_addresses)]
    """Brokers to begin with, as `host:port`. One item may hold several with commas between them, so
    that one environment variable can give them all."""
    topics: Annotated[tuple[Topic, ...], Field(min_length=1)]
    """Topics to read. One that does not exist is waited for, never created."""
    group: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    """Consumer group; its members share the partitions, and stored positions go by its name."""
    start: Start = "earliest"
    """Where a partition without a stored position or committed offset begins, and where reading
    goes on when the position is no longer in the log: `earliest`, `latest`, or a time such as
    `2026-01-31T00:00:00Z` (the first record at or after it). A partition that is added to a topic
    while it is read begins at its first record."""
    isolation_level: Literal["read_committed", "read_uncommitted"] = "read_committed"
    """Whether records of open and aborted transactions are left out (`read_committed`) or taken."""
    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 500
    """Records of one partition that are taken in one transaction, at most; never more than the
    trigger's `concurrency`."""
    fetch_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = 1024 * 1024
    """Bytes fetched from a partition at a time. A single larger record is still read."""
    session_timeout: Annotated[Duration, Field(ge=1, le=1800)] = 10
    """How long the group waits for a member that has gone silent before others get its partitions.
    After a crash this is how long the group may stand still; brokers refuse values outside their
    `group.min.session.timeout.ms` (usually `6s`) and `group.max.session.timeout.ms`."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How to talk to the brokers: `SSL` and `SASL_SSL` use TLS, the two `SASL_` ones a login."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    """How to log in, with `SASL_PLAINTEXT` and `SASL_SSL`."""
    username: str | None = None
    """The name to log in with."""
    password: SecretStr | None = None
    """The password to log in with."""
    ca_file: Path | None = None
    """Certificates (PEM) that sign the brokers' own; without it the system's are trusted."""
    cert_file: Path | None = None
    """Our own certificate (PEM), where brokers ask for one."""
    key_file: Path | None = None
    """The private key of `cert_file` (PEM), where it is not in the same file."""
    key_password: SecretStr | None = None
    """The password of the private key, where it is encrypted."""
    check_hostname: bool = True
    """Whether a broker's certificate must be for the host name that we connected to."""

    async def run(self, intake: Intake) -> None:
        """Read until cancelled; see ``Source.run``."""
        from gateway.sources.kafka_group import (
            read_group,
        )  # loads aiokafka, which `check` can do without

        await read_group(self, intake)

    async def place(self, row: PositionRow) -> None:
        """Have a position that a person set taken by the broker too, which could be ahead of it.

        The group must have no members. Raises Unavailable when the broker does not take it.
        """
        from gateway.sources.kafka_events import Partition
        from gateway.sources.kafka_loop import commit_offset

        partition = Partition(row.topic, row.partition)
        await trio.to_thread.run_sync(commit_offset, self, partition, row.offset)

    @model_validator(mode="after")
    def _security_is_whole(self) -> Self:
        """Refuse a login or certificates that the protocol would not use, and a login in halves."""
        protocol = self.security_protocol
        login, tls = self._given(_LOGIN), self._given(_TLS)
        if protocol.startswith("SASL_") and len(login) < len(_LOGIN):
            absent = ", ".join(name for name in _LOGIN if name not in login)
            raise ValueError(f"security_protocol {protocol} needs {absent} as well")
        if login and not protocol.startswith("SASL_"):
            raise ValueError(f"{login[0]} needs security_protocol SASL_SSL or SASL_PLAINTEXT")
        if tls and not protocol.endswith("SSL"):
            raise ValueError(f"{tls[0]} needs security_protocol SSL or SASL_SSL")
        if self.cert_file is None and (self.key_file or self.key_password):
            raise ValueError("key_file and key_password need a cert_file")
        return self

    def _given(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if getattr(self, name) is not None]

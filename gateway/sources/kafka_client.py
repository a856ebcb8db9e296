"""What our settings mean to aiokafka's consumer. Pure, but for the certificate files it reads."""

from __future__ import annotations

import ssl
from typing import Any

from gateway.errors import Unavailable
from gateway.sources.kafka import KafkaSource

_FETCH_WAIT_MS = 100
"""How long a broker holds a fetch that finds nothing. Short, because a partition that is resumed
must wait for the fetch of its neighbours on the same broker to come back."""
_REQUEST_TIMEOUT_MS = 15_000
_RETRY_MS = 250
_METADATA_AGE_MS = 60_000
_HEARTBEATS_IN_SESSION = 3
_REBALANCE_MS = 10_000
"""How long other members wait for us to end our work at a rebalance, at least."""


def consumer_settings(source: KafkaSource) -> dict[str, Any]:
    """The keyword arguments of ``AIOKafkaConsumer``.

    Offsets are ours to find and to commit, hence no reset and no commits of its own. Raises
    Unavailable when a certificate file cannot be used.
    """
    session_ms = int(source.session_timeout * 1000)
    settings: dict[str, Any] = {
        "bootstrap_servers": list(source.brokers),
        "client_id": "stategate",
        "group_id": source.group,
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "isolation_level": source.isolation_level,
        "max_partition_fetch_bytes": source.fetch_bytes,
        "fetch_max_wait_ms": _FETCH_WAIT_MS,
        "request_timeout_ms": max(_REQUEST_TIMEOUT_MS, session_ms + 5_000),
        "retry_backoff_ms": _RETRY_MS,
        "metadata_max_age_ms": _METADATA_AGE_MS,
        "session_timeout_ms": session_ms,
        "rebalance_timeout_ms": max(session_ms, _REBALANCE_MS),
        "heartbeat_interval_ms": session_ms // _HEARTBEATS_IN_SESSION,
        "security_protocol": source.security_protocol,
    }
    if source.security_protocol.endswith("SSL"):
        settings["ssl_context"] = _tls(source)
    if source.password is not None:
        settings["sasl_mechanism"] = source.sasl_mechanism
        settings["sasl_plain_username"] = source.username
        settings["sasl_plain_password"] = source.password.get_secret_value()
    return settings


def _tls(source: KafkaSource) -> ssl.SSLContext:
    """Server certificates are always verified; only the check of the host name can be left out."""
    key_password = source.key_password.get_secret_value() if source.key_password else ""
    try:
        context = ssl.create_default_context(cafile=source.ca_file)
        context.check_hostname = source.check_hostname
        if source.cert_file is not None:
            # A password is always given: without one, OpenSSL would ask on the terminal.
            context.load_cert_chain(source.cert_file, source.key_file, key_password)
    except OSError as error:  # ssl.SSLError is one
        names = ", ".join(str(f) for f in (source.ca_file, source.cert_file, source.key_file) if f)
        raise Unavailable(f"the certificate files cannot be used ({names}): {error}") from error
    return context

"""The settings of the Kafka source: what is refused, and what they mean to the client."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.errors import Unavailable
from gateway.sources.kafka import KafkaSource
from gateway.sources.kafka_client import consumer_settings

LEAST: dict[str, Any] = {
    "type": "kafka",
    "brokers": ["kafka-1:9092"],
    "topics": ["shop.orders"],
    "group": "stategate",
}
LOGIN = {"sasl_mechanism": "SCRAM-SHA-512", "username": "u", "password": "hidden"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"brokers": ["kafka-1"]}, "'kafka-1' must be host:port"),
        ({"brokers": ["kafka-1:0"]}, "'kafka-1:0' must be host:port"),
        ({"brokers": [" , "]}, "at least one broker"),
        ({"topics": []}, "at least 1 item"),
        ({"topics": ["orders*"]}, "pattern"),
        ({"group": ""}, "at least 1 character"),
        ({"start": "newest"}, "must be earliest, latest or an ISO 8601 time"),
        ({"start": "2026-01-31T00:00:00"}, "with its zone"),
        ({"start": 5}, "must be earliest, latest or an ISO 8601 time"),
        ({"batch_size": 0}, "greater than or equal to 1"),
        ({"session_timeout": "0s"}, "greater than or equal to 1"),
        ({"username": "u"}, "username needs security_protocol SASL_SSL or SASL_PLAINTEXT"),
        ({"security_protocol": "SASL_SSL"}, "needs sasl_mechanism, username, password as well"),
        ({"ca_file": "ca.pem"}, "ca_file needs security_protocol SSL or SASL_SSL"),
        ({"security_protocol": "SSL", "key_file": "k.pem"}, "need a cert_file"),
        ({"acks": "all"}, "Extra inputs are not permitted"),
    ],
)
def test_bad_settings_are_refused_with_the_remedy(more: dict[str, Any], words: str) -> None:
    """Each message says what would be right."""
    with pytest.raises(ValidationError) as caught:
        KafkaSource.model_validate(LEAST | more)
    assert words in str(caught.value)


def test_one_item_may_hold_several_brokers() -> None:
    """An environment variable gives a list in one string."""
    source = KafkaSource.model_validate(LEAST | {"brokers": ["a:1, b:2", "c:3"]})
    assert source.brokers == ("a:1", "b:2", "c:3")


def test_start_may_be_a_time() -> None:
    """Written in ISO 8601, with its zone."""
    source = KafkaSource.model_validate(LEAST | {"start": "2026-01-31T01:00:00+01:00"})
    assert source.start == datetime.datetime(2026, 1, 31, tzinfo=datetime.UTC)


def test_offsets_are_never_reset_or_committed_by_the_client() -> None:
    """Positions are rows: the client may not move them."""
    settings = consumer_settings(KafkaSource.model_validate(LEAST))
    assert settings["enable_auto_commit"] is False
    assert settings["auto_offset_reset"] == "none"
    assert settings["isolation_level"] == "read_committed"
    assert "ssl_context" not in settings


def test_a_login_is_passed_through_and_not_shown() -> None:
    """The password reaches the client and no printout of the settings."""
    source = KafkaSource.model_validate(LEAST | LOGIN | {"security_protocol": "SASL_PLAINTEXT"})
    settings = consumer_settings(source)
    assert settings["sasl_mechanism"] == "SCRAM-SHA-512"
    assert settings["sasl_plain_password"] == "hidden"
    assert "hidden" not in repr(source)


def test_tls_verifies_the_broker() -> None:
    """Leaving out the check of the host name leaves the check of the certificate."""
    more = {"security_protocol": "SSL", "check_hostname": False}
    context = consumer_settings(KafkaSource.model_validate(LEAST | more))["ssl_context"]
    assert not context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"


def test_certificate_files_that_cannot_be_used_are_named() -> None:
    """The file may come back: it is backed off from, with the reason."""
    more = {"security_protocol": "SSL", "ca_file": "no/such/ca.pem"}
    with pytest.raises(Unavailable, match=r"no/such/ca\.pem"):
        consumer_settings(KafkaSource.model_validate(LEAST | more))

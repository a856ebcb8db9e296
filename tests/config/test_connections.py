"""What `check` says of connections."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.config.settings import Settings

OAUTH = {"type": "oauth", "client_id": "me", "client_secret": "s", "token_url": "https://a.example"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"type": "basic", "username": "ann"}, "password"),
        ({"type": "digest"}, "digest"),
        ({"type": "api_key", "name": "X Key", "value": "k"}, "no name of an HTTP header"),
        ({"type": "api_key", "name": "Host", "value": "k"}, "set by Stategate itself"),
        ({"type": "api_key", "name": "X-Key", "value": "two\nlines"}, "must be visible ASCII"),
        ({"type": "none", "headers": {"Content-Length": "1"}}, "set by Stategate itself"),
        ({"type": "none", "endpoints": ["api.example.com"]}, "no beginning of a URL"),
        ({"type": "none", "endpoints": ["https://api.example.com/?a"]}, "no beginning of a URL"),
        ({**OAUTH, "token_url": "http://10.0.0.1/token"}, "no public address"),
    ],
)
def test_what_cannot_work(settings, said):
    """Each is refused, with the reason and without the secret."""
    with pytest.raises(ValidationError, match=said):
        Settings.model_validate({"connections": {"shop": settings}})


@pytest.mark.parametrize(
    ("url", "permitted"),
    [
        ("https://api.example.com/v1/orders", True),
        ("https://API.example.com:443/v1/", True),
        ("https://api.example.com/v1", False),
        ("https://api.example.com/v2/", False),
        ("http://api.example.com/v1/", False),
        ("https://api.example.com.evil.example/v1/", False),
        ("https://api.example.com/v1/%2e%2E/admin", False),
        ("https://other.example.com/", True),
    ],
)
def test_where_it_may_be_used(url, permitted):
    """Scheme, host and port have to be the same, and the path has to begin so."""
    endpoints = ["https://api.example.com/v1/", "https://other.example.com"]
    given = {"type": "none", "endpoints": endpoints}
    connection = Settings.model_validate({"connections": {"c": given}}).connections["c"]
    assert connection.permits(url) is permitted


def test_secrets_are_not_shown():
    """Neither where settings are printed nor where they are written."""
    given = {**OAUTH, "client_secret": "hush", "parameters": {"a": "hush"}, "body": {"b": "hush"}}
    settings = Settings.model_validate({"connections": {"c": given}})
    assert "hush" not in repr(settings)
    assert "hush" not in settings.model_dump_json()

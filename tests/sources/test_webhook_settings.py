"""What a webhook source's settings may say."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.sources.webhook import WebhookSource


@pytest.mark.parametrize("path", ["/", "/hooks", "/hooks/", "/a.b/c_d~%20/{x}", "/{a}/{b_1}"])
def test_paths_that_are_taken(path: str) -> None:
    """Literal segments and parameters, each a whole segment."""
    assert WebhookSource(type="webhook", path=path).path == path


@pytest.mark.parametrize(
    "settings",
    [
        {"path": "hooks"},
        {"path": ""},
        {"path": "//"},
        {"path": "/a b"},
        {"path": "/a?b"},
        {"path": "/x{a}"},
        {"path": "/{}"},
        {"path": "/{a:path}"},
        {"path": "/{a}/{a}"},
        {"path": "/a", "methods": []},
        {"path": "/a", "methods": ["FETCH"]},
        {"path": "/a", "max_body_bytes": 0},
        {"path": "/a", "timeout": 10},
        {"path": "/a", "verify": {"type": "none"}},
        {"path": "/a", "typo": 1},
    ],
)
def test_settings_that_cannot_work_are_problems(settings) -> None:
    """`check` finds them before anything is bound."""
    with pytest.raises(ValidationError):
        WebhookSource.model_validate({"type": "webhook", **settings})

"""How many examples the properties see: all in `make test`, a quarter in the part of the suite that
runs before every commit. A slow machine is no failure."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

_WHOLE = 100
"""What hypothesis takes where nothing is said."""


def load_profile(*, quick: bool) -> None:
    """From now on, before the tests are imported; where it is to be quick, a quarter is enough."""
    settings.register_profile(
        "quick" if quick else "whole",
        max_examples=_WHOLE // 4 if quick else _WHOLE,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        print_blob=True,
    )
    settings.load_profile("quick" if quick else "whole")


def examples(number: int) -> settings:
    """For a property whose examples take their time: so many in the whole suite."""
    share = settings.default.max_examples / _WHOLE
    return settings(max_examples=round(number * share))

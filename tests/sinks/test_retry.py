"""The delays between attempts, and how they are written."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.durations import format_duration, parse_duration
from gateway.sinks.retry import RetrySettings


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (10_000, 300)]
)
def test_delays_double_up_to_the_longest(failures, seconds):
    """The default: 1 s, 2 s, 4 s … 5 min, each at most a fifth off."""
    delays = [RetrySettings().delay_seconds(failures, Random(seed)) for seed in range(50)]
    assert all(0.8 * seconds <= delay <= 1.2 * seconds for delay in delays)
    assert len(set(delays)) > 40


@pytest.mark.parametrize(
    "settings", [{"first": "0s"}, {"factor": 0.5}, {"first": "2m", "max": "1m"}, {"tries": 3}]
)
def test_settings_that_cannot_work_are_refused(settings):
    """A delay of nothing, a shrinking one and one over its own maximum are mistakes."""
    with pytest.raises(ValidationError):
        RetrySettings.model_validate(settings)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("5m", 300), ("1.5h", 5400), ("3d", 259_200), ("1w", 604_800)],
)
def test_durations_are_read(written, seconds):
    """A number and a unit."""
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written", ["", "5", 5, 0.5, True, None, "5 m", "-5s", "5y", "\u0665s", "4000d"]
)
def test_other_durations_are_refused(written):
    """No unit, no number, nothing negative and nothing over ten years."""
    with pytest.raises(ValueError, match=r"is no duration|too long"):
        parse_duration(written)


@given(st.integers(0, 3_650 * 86_400_000))
def test_a_written_duration_reads_as_the_same(milliseconds):
    """format_duration and parse_duration are each other's inverse, to the millisecond."""
    written = format_duration(milliseconds / 1000)
    assert parse_duration(written) == pytest.approx(milliseconds / 1000)

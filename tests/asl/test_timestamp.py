"""RFC 3339 as ASL takes it."""

from __future__ import annotations

import pytest

from gateway.asl.timestamp import timestamp_milliseconds, timestamp_nanoseconds

CASES = [
    ("1970-01-01T00:00:00Z", 0),
    ("1970-01-01T00:00:01.5Z", 1_500_000_000),
    ("1970-01-01T01:00:00+01:00", 0),
    ("1969-12-31T23:59:59.999999999Z", -1),
    ("2016-03-14T01:59:00Z", 1_457_920_740_000_000_000),
    ("2023-02-24", None),
    ("2012-10-09T19:00:55", None),
    ("2012-10-09t19:00:55z", None),
    ("2012-13-09T19:00:55Z", None),
    ("2012-10-09T24:00:55Z", None),
    ("0001-01-01T00:00:00+23:59", -62_135_683_140_000_000_000),
    ("٢٠١٢-10-09T19:00:55Z", None),
    ("2012-10-09T19:00:55Z ", None),
    ("", None),
    (5, None),
    (None, None),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_only_full_timestamps_count(text: object, expected: int | None) -> None:
    """Date, capital T, time to the second and a zone; everything else is no timestamp."""
    assert timestamp_nanoseconds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:01Z", 60_000),
        ("1970-01-01T00:00:01.243167252Z", 1243),
        ("1970-01-01T01:00:01+01:00", 1000),
        ("1970-01-01T01:00:00+0100", None),
        ("1970-W01-4T00:00:00Z", None),
        ("1970-01-01T00:00:00,5Z", None),
        ("1970-01-01T00:00:00.Z", None),
        ("1970-01-01T00Z", None),
        ("19700101T000000Z", None),
        ("1970-13-01T00:00:00Z", None),
        ("1970-01-01T25:00:00Z", None),
        ("1970-01-01 00:00:00Z", None),
        ("1970-01-01T00:00:00", None),
    ],
)
def test_a_wait_takes_an_offset_date_time(text: str, expected: int | None) -> None:
    """As RFC 3339 writes it, the seconds may be left out; other forms of ISO 8601 are refused."""
    assert timestamp_milliseconds(text) == expected

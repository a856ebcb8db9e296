"""The library of config/ over whole loans: weeks of a virtual clock, and buttons pressed."""

from __future__ import annotations

import importlib

import pytest
from library_rig import EXAMPLES, Press, open_library

from gateway.engine.callbacks import given_answers

CONFIRM = Press("Yes, I have it")
RENEW = Press("Renew it", days=1)
RETURN = Press("I have returned it", days=2)


@pytest.fixture
def mail(monkeypatch, tmp_path):
    """The example's handler, with a directory for its mails."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setenv("OUTBOX", str(tmp_path))
    monkeypatch.delenv("MAIL_SERVER", raising=False)
    return importlib.import_module("library.mail").handler, tmp_path


async def test_a_loan_that_is_renewed_reminded_of_and_returned(mock_clock, mail):
    """Confirmed at once, renewed a day after the mail of three weeks later; then there is no click
    for a week, so a reminder goes out, and two days after that the book is back."""
    async with open_library(mock_clock, *mail) as library:
        row = await library.lend(CONFIRM, RENEW, None, RETURN)
        assert (row.name, row.status) == ("loan-17", "SUCCEEDED")
        assert await library.told(row) == {"loan": 17, "returned": True, "renewals": 1}
        assert [(round(each.day, 3), each.subject) for each in library.mails] == [
            (0, "You have borrowed Middlemarch"),
            (21, "Your loan ends: Middlemarch"),
            (43, "Your loan ends: Middlemarch"),
            (50, "Reminder 1: Middlemarch"),
        ]
        assert round((row.stop_at - row.start_at) / 86_400_000, 3) == 52
        answers = await given_answers(library.engine.store, row.id)
        assert [(each.label, each.address) for each in answers] == [
            (each.label, "192.0.2.7") for each in (CONFIRM, RENEW, RETURN)
        ]


async def test_a_book_that_stays_away(mock_clock, mail):
    """Who never clicks has the book by consent, is asked, reminded twice, and then the loan fails
    in words for the staff."""
    async with open_library(mock_clock, *mail) as library:
        row = await library.lend(None, None, None, None)
        assert (row.status, *await library.told(row)) == (
            "FAILED",
            "Unreturned",
            "Ada has not returned Middlemarch",
        )
        assert [(round(each.day, 3), each.subject) for each in library.mails] == [
            (0, "You have borrowed Middlemarch"),
            (24, "Your loan ends: Middlemarch"),
            (31, "Reminder 1: Middlemarch"),
            (38, "Reminder 2: Middlemarch"),
        ]
        assert round((row.stop_at - row.start_at) / 86_400_000, 3) == 45


async def test_a_third_renewal_is_not_offered(mock_clock, mail):
    """Twice there is a button for it, then there is none."""
    async with open_library(mock_clock, *mail) as library:
        row = await library.lend(CONFIRM, RENEW, RENEW, RETURN)
        assert (await library.told(row))["renewals"] == 2
        offered = ["Renew it" in labels for labels in library.seen]
        assert offered == [False, True, True, False]


@pytest.mark.parametrize(
    ("plan", "error", "cause"),
    [
        (
            [Press("No, that was not me", days=1)],
            "NotReceived",
            "Ada does not have Middlemarch",
        ),
        ([CONFIRM, Press("I have lost it")], "Lost", "Ada has lost Middlemarch"),
    ],
)
async def test_what_the_staff_must_know_at_once(mock_clock, mail, plan, error, cause):
    """A button with an error fails the loan in words for the staff."""
    async with open_library(mock_clock, *mail) as library:
        row = await library.lend(*plan)
        assert (row.status, *await library.told(row)) == ("FAILED", error, cause)


async def test_the_link_of_an_earlier_mail_is_over(mock_clock, mail):
    """With the reminder the link of the mail before it has ended: it decides nothing any more."""
    async with open_library(mock_clock, *mail) as library:
        await library.lend(CONFIRM, None, RETURN)
        first = library.mails[1]
        assert (await library._ask("GET", first.link, b"")).status_code == 410
        assert (await library._ask("POST", first.link, b"answer=0")).status_code == 410


async def test_a_mail_server_that_is_down_is_tried_again(mock_clock, mail):
    """A mail that cannot be sent goes out a minute, then two minutes later; the reader gets it
    once."""
    async with open_library(mock_clock, *mail, mails_down=2) as library:
        row = await library.lend(CONFIRM, RETURN)
        assert row.status == "SUCCEEDED"
        assert [round(each.day * 1440, 1) for each in library.mails[:1]] == [3.0]
        assert len(library.mails) == 2

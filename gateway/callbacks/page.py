"""The HTML of the callbacks page. Pure; everything that is not written here is escaped.

No page loads or runs anything: one style sheet stands in it, which its policy names by its digest.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from html import escape
from typing import Final

from starlette.responses import HTMLResponse

from gateway.callbacks.question import Question

FIELD: Final = "answer"
"""The form's only field: the place of the button in the list of answers, from 0."""

_STYLE: Final = """
:root { color-scheme: light dark; --paper: #f3f5f7; --card: #fff; --line: #d3d9de; --ink: #1b2126;
  --quiet: #56616b; --accent: #0b57d0; --on-accent: #fff; --alert: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --card: #1e2327; --line: #3a4248;
  --ink: #e8ebee; --quiet: #a7b1b9; --accent: #8ab4f8; --on-accent: #0d2240; --alert: #f2b8b5; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; padding: 1.25rem; display: grid; place-items: center;
  background: var(--paper); color: var(--ink); font: 1.0625rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 32rem; padding: clamp(1.25rem, 6vw, 2.25rem);
  background: var(--card); border: 1px solid var(--line); border-radius: .875rem;
  overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 1.375rem; line-height: 1.35; font-weight: 600; }
p { margin: .75rem 0 0; white-space: pre-line; }
form { display: grid; gap: .75rem; margin: 1.5rem 0; }
button { min-height: 3rem; padding: .625rem 1.25rem; font: inherit; font-weight: 600;
  overflow-wrap: anywhere; color: var(--on-accent); background: var(--accent);
  border: 2px solid var(--accent); border-radius: .5rem; cursor: pointer; }
button.failure { color: var(--accent); background: transparent; }
button:hover { text-decoration: underline; }
button:focus-visible { outline: 3px solid var(--ink); outline-offset: 3px; }
.note { color: var(--quiet); font-size: .9375rem; }
.alert { color: var(--alert); font-weight: 600; }
"""
_DIGEST: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()
_ONCE: Final = "One answer counts. Its time and the address it comes from are recorded."
_HEADERS: Final = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    # The link is the right to answer: no other site may learn of it.
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
}


def asks(question: Question, alert: str | None = None) -> HTMLResponse:
    """The question with a button for each answer; ``alert`` says why the last request was none."""
    first, _, rest = question.text.strip().partition("\n")
    parts = [_heading(first)]
    if rest.strip():
        parts.append(_paragraph(rest.strip()))
    if alert is not None:
        parts.append(f'<p class="alert" role="alert">{escape(alert)}</p>')
    parts += [_form(question), _note(_ONCE)]
    return _page(200 if alert is None else 400, first, parts)


def thanks(label: str) -> HTMLResponse:
    """The answer is on disk."""
    taken = f'<p>Your answer is recorded: <strong dir="auto">{escape(label)}</strong></p>'
    title = "Thank you"
    return _page(200, title, [_heading(title), taken, _note("You can close this page.")])


def over() -> HTMLResponse:
    """Nothing waits for an answer here: the same page whether something ever did or not."""
    said = "The question was answered, its time is over, or the link is not complete."
    note = "Whoever presses a button twice sees this the second time; the first press counts."
    title = "Nothing to answer here"
    return _page(410, title, [_heading(title), _paragraph(said), _note(note)])


def broken(reason: str) -> HTMLResponse:
    """The task has a ``callback`` that cannot be shown."""
    said = f"What was to be asked has a mistake: {reason}."
    note = "Please tell whoever sent you the link. Nothing has been answered."
    title = "This question cannot be shown"
    return _page(500, title, [_heading(title), _paragraph(said), _note(note)])


def refused(status: int, reason: str, headers: Mapping[str, str]) -> HTMLResponse:
    """The request was not taken; nothing has been answered."""
    note = "Nothing has been answered. Please try again."
    title = "That did not work"
    parts = [_heading(title), _paragraph(f"{reason[:1].upper()}{reason[1:]}."), _note(note)]
    return _page(status, title, parts, headers)


def _form(question: Question) -> str:
    buttons = (
        f'<button name="{FIELD}" value="{i}" class="{type(answer.outcome).__name__.lower()}" '
        f'dir="auto">{escape(answer.label)}</button>'
        for i, answer in enumerate(question.answers)
    )
    return f'<form method="post">{"".join(buttons)}</form>'


def _heading(text: str) -> str:
    return f'<h1 dir="auto">{escape(text)}</h1>'


def _paragraph(text: str) -> str:
    return f'<p dir="auto">{escape(text)}</p>'


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def _page(
    status: int, title: str, parts: Iterable[str], headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>"
    )
    return HTMLResponse(html, status, {**_HEADERS, **(headers or {})})

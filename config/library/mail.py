"""Mails of the library, as a Lambda handler that stategate runs as a local function.

With MAIL_SERVER (host:port) a mail is sent; without it, it becomes a file in OUTBOX.
"""

from __future__ import annotations

import os
import smtplib
from email.message import EmailMessage
from pathlib import Path
from typing import Any


class MailNotSent(Exception):
    """The mail could not be sent now; Retry tries again."""


def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Send the mail ``event``: to, subject, text.

    A crash may call this again for the same mail, under the same request id: that is its Message-ID
    and its file's name, so a mail that goes out twice is seen to be one.
    """
    mail = EmailMessage()
    mail["Message-ID"] = f"<{context.aws_request_id}@library.example>"
    mail["From"] = "The library <library@example.com>"
    mail["To"] = event["to"]
    mail["Subject"] = event["subject"]
    # Lines stay whole, for a link that is broken in two leads nowhere.
    mail.set_content(event["text"], cte="8bit")
    server = os.environ.get("MAIL_SERVER")
    try:
        if server:
            host, _, port = server.partition(":")
            with smtplib.SMTP(host, int(port or 25), timeout=20) as smtp:
                smtp.send_message(mail)
        else:
            outbox = Path(os.environ["OUTBOX"])
            outbox.mkdir(exist_ok=True)
            (outbox / f"{context.aws_request_id}.eml").write_bytes(mail.as_bytes())
    except OSError as failure:
        raise MailNotSent(str(failure)) from failure
    return {"message_id": mail["Message-ID"]}

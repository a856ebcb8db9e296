"""An SNS that takes Publish and says what it was told; a topic is there as soon as it is named."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs
from uuid import uuid4

from tests.stand_ins.server import Answer, PartOf, Refusal, Request, Service

_XML = (("Content-Type", "text/xml"),)
_NAMESPACE = 'xmlns="http://sns.amazonaws.com/doc/2010-03-31/"'

Heard = Callable[[str, str], None]
"""Topic and message of each publication, in the order in which they came."""


class Sns(Service):
    """Publish, in AWS's query protocol."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard

    def operation(self, request: Request) -> str:
        """The form says it."""
        return _form(request).get("Action", "")

    def answer(self, operation: str, request: Request) -> Answer:
        """Take the message."""
        if operation != "Publish":
            return self.refuse(Refusal("InvalidAction"))
        form = _form(request)
        self._heard(form["TopicArn"], form["Message"])
        result = f"<PublishResult><MessageId>{uuid4()}</MessageId></PublishResult>"
        about = f"<ResponseMetadata><RequestId>{uuid4()}</RequestId></ResponseMetadata>"
        text = f"<PublishResponse {_NAMESPACE}>{result}{about}</PublishResponse>"
        return Answer(200, text.encode(), _XML)

    def refuse(self, refusal: Refusal) -> Answer:
        """An error in AWS's XML."""
        side = "Sender" if refusal.status < 500 else "Receiver"
        error = f"<Type>{side}</Type><Code>{refusal.code}</Code><Message>as wished</Message>"
        text = f"<ErrorResponse {_NAMESPACE}><Error>{error}</Error></ErrorResponse>"
        return Answer(refusal.status, text.encode(), _XML)

    def answer_in_part(self, operation: str, request: Request, part: PartOf) -> Answer:
        """There are no batches here."""
        raise NotImplementedError


def _form(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}

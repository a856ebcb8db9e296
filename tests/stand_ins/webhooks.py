"""A receiver of webhooks that says what it was told."""

from __future__ import annotations

from collections.abc import Callable

from tests.stand_ins.server import Answer, PartOf, Refusal, Request, Service


class Webhooks(Service):
    """Takes whatever is posted."""

    def __init__(self, heard: Callable[[str, str], None]) -> None:
        self._heard = heard
        """Is handed ``webhook-id`` and body of each request, in the order in which they came."""

    def operation(self, request: Request) -> str:
        """There is only one."""
        return "POST"

    def answer(self, operation: str, request: Request) -> Answer:
        """Take it."""
        self._heard(request.headers["webhook-id"], request.body.decode())
        return Answer(204)

    def refuse(self, refusal: Refusal) -> Answer:
        """The status says it all."""
        return Answer(refusal.status, refusal.code.encode())

    def answer_in_part(self, operation: str, request: Request, part: PartOf) -> Answer:
        """There are no batches here."""
        raise NotImplementedError

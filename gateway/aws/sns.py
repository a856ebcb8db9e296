"""Publish of SNS, in AWS's query protocol: a form that is answered with XML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from gateway.aws.service import AwsService, Refusal
from gateway.errors import Unavailable

if TYPE_CHECKING:
    from gateway.aws.client import Aws

_VERSION: Final = "2010-03-31"


async def publish(
    aws: Aws,
    region: str | None,
    endpoint_url: str | None,
    members: Mapping[str, str],
    attributes: Mapping[str, str],
    seconds: float,
) -> None:
    """Publish a message: ``members`` of the request by SNS's names, ``attributes`` as strings.

    Raises Refusal; and Unavailable where there is no answer of SNS within ``seconds``.
    """
    form = {"Action": "Publish", "Version": _VERSION, **members}
    for number, (name, text) in enumerate(attributes.items(), 1):
        entry = f"MessageAttributes.entry.{number}."
        form[f"{entry}Name"] = name
        form[f"{entry}Value.DataType"] = "String"
        form[f"{entry}Value.StringValue"] = text
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    service = AwsService(aws, "sns", region, endpoint_url)
    reply = await service.post(headers, urlencode(form).encode(), seconds)
    said = _texts(reply.body)
    if reply.status >= 300:
        code = said.get("Code", f"status {reply.status}")
        raise Refusal(code, said.get("Message", ""), reply.header("retry-after"))
    if "MessageId" not in said:
        # A proxy's page of 200 is no acceptance.
        raise Unavailable("answered without a MessageId: that was not SNS, or not all of it")


def _texts(body: bytes) -> dict[str, str]:
    """The text of each element, by its name without the namespace."""
    from xml.etree import ElementTree

    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return {}
    return {each.tag.rpartition("}")[2]: each.text or "" for each in root.iter()}

"""An answer of 200 that is not AWS's is no acceptance."""

from __future__ import annotations

import pytest
from outlet_rig import make_notification, make_outlet

from gateway.daemon.tools import open_tools
from gateway.errors import Unavailable
from gateway.sinks.post import open_post_client
from gateway.sinks.sns import SnsSink
from gateway.sinks.sqs import SqsSink
from tests.stand_ins.server import Fault, StandIn
from tests.stand_ins.sns import Sns
from tests.stand_ins.sqs import SqsStandIn

TOPIC = "arn:aws:sns:us-east-1:123456789012:ended"


@pytest.fixture(params=["sns", "sqs"])
def far_side(request):
    """A stand-in and its sink."""
    stand_in = StandIn(Sns(lambda *_: None)) if request.param == "sns" else SqsStandIn()
    with stand_in:
        if request.param == "sns":
            sink = SnsSink(type="sns", topic_arn=TOPIC, endpoint_url=stand_in.url)
        else:
            url = f"{stand_in.url}/123456789012/ended"
            sink = SqsSink(type="sqs", queue_url=url, endpoint_url=stand_in.url)
        yield stand_in, sink


@pytest.mark.parametrize("fault", [Fault.GARBAGE, Fault.NO_HTTP, Fault.RESET])
async def test_what_is_not_aws_accepts_nothing(far_side, fault, monkeypatch):
    """A proxy's page, another protocol and a reset are Unavailable: it is sent again."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    stand_in, sink = far_side
    async with open_post_client() as http, open_tools("us-east-1") as tools:
        stand_in.plan = lambda *_: fault
        with pytest.raises(Unavailable):
            await sink.send(make_notification(), make_outlet(http, tools.aws))
        stand_in.plan = lambda *_: None
        await sink.send(make_notification(), make_outlet(http, tools.aws))

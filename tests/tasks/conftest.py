"""An AWS on loopback for all tests of a file."""

from __future__ import annotations

from functools import partial

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from tests.tasks.services_rig import KEYS


@pytest.fixture(scope="module")
def moto():
    """moto, on a free port."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    # What other servers of this process were told, it knows, too.
    httpx.post(f"{url}/moto-api/reset")
    yield url
    server.stop()


@pytest.fixture(scope="module")
def clients(moto):
    """boto3's clients of it; there are a table and a bucket."""
    make = partial(
        boto3.client,
        endpoint_url=moto,
        region_name="us-east-1",
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )
    make("s3").create_bucket(Bucket="reports")
    make("dynamodb").create_table(
        TableName="scores",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return make

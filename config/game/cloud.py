"""What the game needs of AWS: ``python cloud.py make`` makes it, ``show`` says what came there, and
``break`` takes the bucket away."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import boto3

BUCKET = os.environ.get("REPORTS_BUCKET", "game-reports")
QUEUE = "game-results"
REGION = os.environ.get("AWS_REGION", "us-east-1")
KEYS = {"players": "player", "scores": "run"}


def client(service: str) -> Any:
    """A client; credentials and endpoint are the environment's."""
    return boto3.client(service, region_name=REGION)


def make() -> None:
    """Two tables, a bucket and a queue."""
    for table, key in KEYS.items():
        client("dynamodb").create_table(
            TableName=table,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    client("s3").create_bucket(Bucket=BUCKET)
    client("sqs").create_queue(QueueName=QUEUE)


def show() -> None:
    """Players, reports, metrics, and the results that wait in the queue."""
    for player in client("dynamodb").scan(TableName="players")["Items"]:
        values = {name: value for name, each in sorted(player.items()) for value in each.values()}
        print("player", json.dumps(values))
    for report in client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        print("report", report["Key"])
    for metric in client("cloudwatch").list_metrics(Namespace="Game")["Metrics"]:
        print("metric", metric["MetricName"], *(each["Value"] for each in metric["Dimensions"]))
    sqs = client("sqs")
    queue = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    # Without a timeout they stay visible to others, and to the next look.
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0)
    for message in found.get("Messages", ()):
        print("result", message["Body"])


def break_() -> None:
    """No bucket any more."""
    s3 = client("s3")
    for report in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        s3.delete_object(Bucket=BUCKET, Key=report["Key"])
    s3.delete_bucket(Bucket=BUCKET)


if __name__ == "__main__":
    {"make": make, "show": show, "break": break_}[sys.argv[1]]()

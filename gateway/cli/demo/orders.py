"""The demo's orders: some through each source, two of them twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import httpx

if TYPE_CHECKING:
    from confluent_kafka import Producer

    from gateway.cli.demo.stand_ins import Cloud
    from gateway.cli.demo.story import Story

ORDERS: Final = {
    "sqs": {1001: ["lamp", "bulb"], 1002: ["teapot"]},
    "kafka": {1003: ["chair"], 1004: ["rug", "vase"]},
    "webhook": {1005: ["clock"], 1006: ["mirror", "frame"]},
}
TWICE: Final = 1001
"""Sent through the queue and through the topic: one execution all the same."""


def send_orders(story: Story, aws: Cloud, producer: Producer, hook_url: str) -> set[str]:
    """Send them all; the names of the executions that have to come of it."""
    for number, items in ORDERS["sqs"].items():
        body = json.dumps({"id": number, "items": items})
        aws.sqs.send_message(QueueUrl=aws.orders_url, MessageBody=body)
        story.say("sqs", f"order-{number}", "message sent to the queue")
    for number, items in {**ORDERS["kafka"], TWICE: ORDERS["sqs"][TWICE]}.items():
        producer.produce("orders", json.dumps({"id": number, "items": items}).encode())
        again = ", again: the same name" if number == TWICE else ""
        story.say("kafka", f"order-{number}", f"record written to the topic{again}")
    producer.flush(10)
    for number, items in ORDERS["webhook"].items():
        answer = httpx.post(hook_url, json={"id": number, "items": items})
        story.say("webhook", f"order-{number}", f"POST /orders: {answer.status_code}, on disk")
    return {f"order-{number}" for orders in ORDERS.values() for number in orders}

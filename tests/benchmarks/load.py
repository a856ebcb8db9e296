"""The load driver, the same for every endpoint: keep-alive clients that speak AWS's format."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

# A made-up signature: moto routes by the service that it names.
_SIGNED = (
    "AWS4-HMAC-SHA256 Credential=x/20261101/us-east-1/states/aws4_request, "
    "SignedHeaders=host, Signature=00"
)
PASS_CHAIN = {
    "StartAt": "S0",
    "States": {
        f"S{n}": {"Type": "Pass", **({"Next": f"S{n + 1}"} if n < 9 else {"End": True})}
        for n in range(10)
    },
}
LIMIT_SECONDS = 60
ROLE = "arn:aws:iam::123456789012:role/bench"


class Client:
    """One connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)

    def call(self, operation: str, **parameters: object) -> dict[str, Any]:
        """One operation; raises where it is refused."""
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"AWSStepFunctions.{operation}",
            "Authorization": _SIGNED,
        }
        self._connection.request("POST", "/", json.dumps(parameters), headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{operation}: {answer.status} {body[:300]!r}")
        found: dict[str, Any] = json.loads(body or b"{}")
        return found

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def machine(url: str, name: str, definition: dict[str, Any]) -> str:
    """Create a machine; its ARN."""
    client = Client(url)
    created = client.call(
        "CreateStateMachine", name=name, definition=json.dumps(definition), roleArn=ROLE
    )
    client.close()
    arn: str = created["stateMachineArn"]
    return arn


def together(workers: int, work: Callable[[int], None]) -> float:
    """Run ``work`` in so many threads at once; the seconds until the last has ended."""
    threads = [threading.Thread(target=work, args=(n,)) for n in range(workers)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def chain_rate(url: str, executions: int, clients: int = 8) -> float:
    """W1: executions per second from the first start until all have succeeded."""
    arn = machine(url, "chain", PASS_CHAIN)
    each = executions // clients
    started: list[list[str]] = [[] for _ in range(clients)]

    def work(number: int) -> None:
        client = Client(url)
        for n in range(each):
            answer = client.call(
                "StartExecution", stateMachineArn=arn, name=f"c{number}-{n}", input='{"a": 1}'
            )
            started[number].append(answer["executionArn"])
        client.close()

    began = time.perf_counter()
    together(clients, work)
    client = Client(url)
    running: dict[str, Any] = {"stateMachineArn": arn, "statusFilter": "RUNNING"}
    while client.call("ListExecutions", **running)["executions"]:
        time.sleep(0.01)
        if time.perf_counter() - began > LIMIT_SECONDS:
            raise RuntimeError(f"{url} has not ended its executions in {LIMIT_SECONDS} s")
    seconds = time.perf_counter() - began
    client.close()
    return each * clients / seconds

"""A listing that was begun before the daemon died goes on with the next one."""

from __future__ import annotations

import pytest

from tests.e2e.clients import ARN, ROLE, ended, machine, step_functions
from tests.e2e.process import DaemonProcess, free_port

pytestmark = pytest.mark.slow

NAMES = [f"m{n}" for n in range(3)]
PASS = machine(A={"Type": "Pass", "End": True})


def test_tokens_survive_kill_9(tmp_path):
    """Machines, activities, executions and histories in both directions: what comes after the
    first page is what would have come without the crash."""
    port = free_port()
    config = tmp_path / "listings.yaml"
    config.write_text(f'store: {{ path: l.db }}\napi: {{ listen: "127.0.0.1:{port}" }}\n')
    with DaemonProcess(config, port) as daemon, step_functions(daemon.url) as client:
        for name in NAMES:
            client.create_state_machine(name=name, definition=PASS, roleArn=ROLE, publish=True)
            client.create_activity(name=name)
        arn = f"{ARN}:stateMachine:m0"
        for name in NAMES:
            started = client.start_execution(stateMachineArn=arn, name=name)["executionArn"]
            ended(client, started)
        of = {"executionArn": started}
        listings = [
            (client.list_state_machines, "stateMachines", {}),
            (client.list_activities, "activities", {}),
            (client.list_executions, "executions", {"stateMachineArn": arn}),
            (client.get_execution_history, "events", of),
            (client.get_execution_history, "events", {**of, "reverseOrder": True}),
        ]
        whole = [call(**wanted)[member] for call, member, wanted in listings]
        first = [call(**wanted, maxResults=2) for call, _, wanted in listings]
        daemon.kill()
        daemon.start()
        for (call, member, wanted), begun, all_of_it in zip(listings, first, whole, strict=True):
            rest = call(**wanted, nextToken=begun["nextToken"])
            assert begun[member] + rest[member] == all_of_it
            assert "nextToken" not in rest

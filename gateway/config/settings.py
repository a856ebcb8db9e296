"""What a configuration file may say: the models of everything in it, and nothing that acts.

The fields are the YAML keys and the text under a field is its documentation: the JSON Schema, the
messages of ``check`` and the reference in the README come from here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from gateway.api.credentials import Credentials
from gateway.aws.roles import RoleArn, RoleSettings
from gateway.config.adapters import (
    ConnectionSettings,
    DeadLetterTarget,
    FunctionSettings,
    SinkTarget,
    SourceSettings,
)
from gateway.config.listen import Address, Listen
from gateway.durations import Duration
from gateway.engine.names import legal_name
from gateway.sinks.retry import RetrySettings
from gateway.sources.webhook import WebhookSource
from gateway.store.rows import Status
from gateway.strict import Strict
from gateway.workers.settings import WorkerSettings


def _legal(name: str) -> str:
    if not legal_name(name):
        raise ValueError(
            "is no name that AWS allows: 1 to 80 characters, without spaces, control characters "
            'and ? * < > { } [ ] " # % \\ ^ | ~ ` $ & , ; : /'
        )
    return name


def _not_null(value: Any) -> Any:
    """A key with nothing after it, as when all its entries are commented out."""
    return {} if value is None else value


T = TypeVar("T")
Name: TypeAlias = Annotated[str, AfterValidator(_legal)]
_Region: TypeAlias = Annotated[
    str, Field(pattern=r"^[a-z]{2,}(-[a-z]+)+-\d+$", examples=["us-east-1"])
]
_Site: TypeAlias = Annotated[
    str, Field(pattern=r"^https?://[^/]+", examples=["https://stategate.example.com"])
]
Section: TypeAlias = Annotated[T, BeforeValidator(_not_null)]
Entries: TypeAlias = Section[dict[Name, T]]


class StoreSettings(Strict):
    """Where everything durable is kept."""

    path: Path = Path("stategate.db")
    """The SQLite database. Made if it is not there, readable by its owner only."""
    keep: Duration = 90 * 86_400.0
    """How long an execution is kept after its end; so long its name is taken."""


class ApiSettings(Strict):
    """The AWS Step Functions API, `/healthz` and `/metrics`."""

    listen: Listen = Address("127.0.0.1", 8083)
    """Address as `host:port`: what boto3 and the AWS CLI take as `endpoint_url`."""
    credentials: Section[Credentials] = Field(default_factory=dict)
    """Access keys, each with its secret or with a mapping. With any, every request has to be
    signed."""
    insecure: bool = False
    """Listen on an address that others can reach too, although nobody has to sign."""


class HooksSettings(Strict):
    """Where webhooks arrive and callbacks are answered; bound if there is a webhook, or if `hooks:`
    stands in the file."""

    listen: Listen = Address("127.0.0.1", 8080)
    """Address as `host:port`."""
    public_url: _Site | None = None
    """The same place as others see it, `/callbacks/<token>` below it being the link that answers a
    task; without it `http://` and the address."""


class MachineSettings(Strict):
    """A state machine, created or given a new revision at load."""

    definition: Path
    """File with its Amazon States Language definition (JSON)."""
    substitutions: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """What `${Name}` in the text of the definition stands for, as in SAM."""


class ActivitySettings(Strict):
    """An activity, `arn:aws:states:<region>:<account>:activity:<name>`; it has no settings."""


class TriggerSettings(Strict):
    """Messages of one source start executions of one machine."""

    source: SourceSettings
    """Where messages come from."""
    start: str
    """The machine that they start, one of `machines`."""
    filter: dict[str, Any] | None = None
    """EventBridge pattern over the message; one that does not match is acknowledged and counted.
    Default: every message."""
    name: str | None = None
    """Expression over the message that gives the execution's name, as
    `States.Format('order-{}', $.body.id)`. A message whose name exists is a duplicate. Default: the
    trigger's name and the message's own coordinates."""
    input: Any = None
    """Payload template over the message that gives the execution's input. Default: the body."""
    concurrency: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Messages received and not yet acknowledged, at most. Default: 500 for Kafka, whose batches
    are one transaction each; 64 for the others."""
    max_running: Annotated[int, Field(ge=1)] | None = None
    """While so many of its executions run, no further message is received; a batch that has been
    received is still started. Default: no limit."""
    dead_letter: DeadLetterTarget | None = None
    """Where messages go that can never be taken. Default: to `stategate letters`, or for an SQS
    queue with a redrive policy, to that."""


class SinkSettings(Strict):
    """Who hears of executions."""

    to: SinkTarget
    """Where notifications are sent."""
    when: Annotated[tuple[Status, ...], Field(min_length=1)] = (
        "SUCCEEDED",
        "FAILED",
        "TIMED_OUT",
        "ABORTED",
    )
    """The statuses that it hears of; `RUNNING` tells of the start."""
    machines: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """The machines that it hears of. Default: all."""
    message: Any = None
    """Payload template over the status-change event. Default: the event itself."""
    retry: RetrySettings = Field(default_factory=RetrySettings)
    """How a notification that was not accepted is tried again."""
    give_up_after: Annotated[Duration, Field(gt=0)] = 3 * 86_400.0
    """When a notification becomes a letter."""


class Settings(Strict):
    """A whole configuration file; every part may be left out."""

    region: _Region = "us-east-1"
    """Region in ARNs, and of AWS clients that neither the environment nor a setting gives one."""
    account: Annotated[
        str,
        BeforeValidator(lambda account: str(account) if isinstance(account, int) else account),
        Field(
            pattern=r"^\d{12}$",
            examples=["123456789012"],
            json_schema_extra={"type": ["string", "integer"]},
        ),
    ] = "123456789012"
    """Account number in ARNs."""
    grace: Duration = 10.0
    """How long what is in flight may take to finish when the daemon is stopped."""
    store: Section[StoreSettings] = Field(default_factory=StoreSettings)
    """Where everything durable is kept."""
    api: Section[ApiSettings] = Field(default_factory=ApiSettings)
    """The AWS Step Functions API, `/healthz` and `/metrics`."""
    hooks: Section[HooksSettings] = Field(default_factory=HooksSettings)
    """Where webhooks arrive and callbacks are answered; bound if there is a webhook, or if this
    stands in the file."""
    machines: Entries[MachineSettings] = Field(default_factory=dict)
    """State machines by name."""
    activities: Entries[Section[ActivitySettings]] = Field(default_factory=dict)
    """Activities by name."""
    roles: Section[dict[RoleArn, RoleSettings]] = Field(default_factory=dict)
    """As whom tasks call whose `Credentials` name a role, by its ARN. `*` stands for any
    characters, and the first entry that fits counts. Default: the role is assumed, as at AWS."""
    functions: Entries[FunctionSettings] = Field(default_factory=dict)
    """What the functions are that tasks call, by name. One that is not here is AWS's Lambda."""
    connections: Entries[ConnectionSettings] = Field(default_factory=dict)
    """What HTTP tasks prove themselves with, by name."""
    triggers: Entries[TriggerSettings] = Field(default_factory=dict)
    """What starts executions, by name."""
    sinks: Entries[SinkSettings] = Field(default_factory=dict)
    """Who hears of executions, by name."""
    workers: Entries[WorkerSettings] = Field(default_factory=dict)
    """Processes that answer activities, by name; the daemon runs them."""

    @property
    def hooks_address(self) -> Address | None:
        """Where to listen for webhooks and callbacks; None where neither is wanted."""
        webhook = any(isinstance(each.source, WebhookSource) for each in self.triggers.values())
        return self.hooks.listen if webhook or "hooks" in self.model_fields_set else None

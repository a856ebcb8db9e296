"""What must hold between the parts of a configuration: one rule, one function, its problems."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from gateway.callbacks.desk import PATH as CALLBACKS
from gateway.config.settings import Settings, TriggerSettings
from gateway.config.wording import suggestion
from gateway.errors import Problem
from gateway.sources.kafka import KafkaSource
from gateway.sources.sqs import SqsSource
from gateway.sources.webhook import WebhookSource

Json: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Named:
    """The names that the file declares, those of entries with problems among them."""

    machines: frozenset[str]
    activities: frozenset[str]
    connections: frozenset[str]


Check: TypeAlias = Callable[[Settings, Named], Iterator[Problem]]


def starts_are_machines(settings: Settings, named: Named) -> Iterator[Problem]:
    """A trigger starts a machine of this file."""
    for name, trigger in settings.triggers.items():
        if trigger.start not in named.machines:
            said = f"there is no machine {trigger.start!r}"
            near = suggestion(trigger.start, sorted(named.machines))
            yield Problem(f"triggers.{name}.start", said + near)


def sink_machines_are_known(settings: Settings, named: Named) -> Iterator[Problem]:
    """A sink hears of machines; one that is not in the file may have been made through the API."""
    for name, sink in settings.sinks.items():
        for i, machine in enumerate(sink.machines or ()):
            if machine not in named.machines:
                said = f"no machine {machine!r} in this file"
                near = suggestion(machine, sorted(named.machines))
                yield Problem(f"sinks.{name}.machines[{i}]", said + near, warning=True)


def workers_have_activities(settings: Settings, named: Named) -> Iterator[Problem]:
    """A worker answers an activity of this file."""
    for name, worker in settings.workers.items():
        if worker.activity not in named.activities:
            said = f"there is no activity {worker.activity!r}"
            near = suggestion(worker.activity, sorted(named.activities))
            yield Problem(f"workers.{name}.activity", said + near)


def triggers_share_nothing(settings: Settings, _: Named) -> Iterator[Problem]:
    """No two triggers have one queue, one group and topic, or one method and path."""
    taken: dict[str, str] = {}
    for name, trigger in settings.triggers.items():
        for key, what in _intakes(trigger):
            other = taken.setdefault(what, name)
            if other != name:
                yield Problem(f"triggers.{name}.source.{key}", f"{what} is {other}'s already")


def callbacks_are_free(settings: Settings, _: Named) -> Iterator[Problem]:
    """Links that answer tasks lead to the listener of the webhooks."""
    for name, source in _webhooks(settings):
        if re.sub(r"\{[^}]*\}", "{token}", source.path) == CALLBACKS:
            said = "is where the links of tasks lead: give the webhook another path"
            yield Problem(f"triggers.{name}.source.path", said)


def dead_letters_leave(settings: Settings, _: Named) -> Iterator[Problem]:
    """Letters that go back to where their messages came from would go round for ever."""
    for name, trigger in settings.triggers.items():
        queue = getattr(trigger.dead_letter, "queue_url", None)
        if isinstance(trigger.source, SqsSource) and trigger.source.queue_url == queue:
            said = "is the trigger's own queue; its letters would come in again for ever"
            yield Problem(f"triggers.{name}.dead_letter.queue_url", said)


def api_is_private(settings: Settings, _: Named) -> Iterator[Problem]:
    """Without signatures the API is for this machine only, unless the file says otherwise."""
    api = settings.api
    if not (api.listen.loopback or api.credentials or api.insecure):
        said = f"{api.listen} can be reached by others and nobody has to sign"
        todo = "listen on 127.0.0.1, give api.credentials, or set insecure: true"
        yield Problem("api.listen", f"{said}: {todo}")


def listeners_differ(settings: Settings, _: Named) -> Iterator[Problem]:
    """The API and the webhooks need an address each."""
    if settings.hooks_address == settings.api.listen and settings.api.listen.port != 0:
        yield Problem("hooks.listen", f"{settings.hooks.listen} is api.listen already")


def webhooks_are_verified(settings: Settings, _: Named) -> Iterator[Problem]:
    """Whoever reaches a webhook without ``verify`` may start executions."""
    if settings.hooks.listen.loopback:
        return
    for name, source in _webhooks(settings):
        if source.verify is None:
            said = f"whoever reaches {settings.hooks.listen} may send: add verify"
            yield Problem(f"triggers.{name}.source", said, warning=True)


def names_are_stable(settings: Settings, _: Named) -> Iterator[Problem]:
    """A name that differs between deliveries of one message starts it twice."""
    for name, trigger in settings.triggers.items():
        found = _CHANGING.search(trigger.name or "")
        if found:
            said = f"{found[0]} can differ when a message comes again, which then starts twice"
            remedy = "make the name of what the message itself brings"
            yield Problem(f"triggers.{name}.name", f"{said}: {remedy}", warning=True)


def profiles_exist(settings: Settings, _: Named) -> Iterator[Problem]:
    """A role's profile is one of AWS's configuration files, at least where the daemon runs."""
    profiles = {arn: role.profile for arn, role in settings.roles.items() if role.profile}
    if profiles:
        from botocore.session import Session

        known = sorted(Session().available_profiles)
        for arn, profile in profiles.items():
            if profile not in known:
                said = f"there is no profile {profile!r} here{suggestion(profile, known)}"
                yield Problem(f"roles.{arn}.profile", said, warning=True)


def templates_are_jsonpath(settings: Settings, _: Named) -> Iterator[Problem]:
    """JSONata in a template would be taken for a plain text, and nobody means that."""
    templates = {f"triggers.{name}.input": t.input for name, t in settings.triggers.items()}
    templates |= {f"sinks.{name}.message": sink.message for name, sink in settings.sinks.items()}
    for place, template in templates.items():
        for path, text in _texts(template, place):
            if text.lstrip().startswith("{%"):
                said = "JSONata is not supported yet: write the key with .$ and a path or function"
                yield Problem(path, said)


_CHANGING = re.compile(
    r"States\.UUID|States\.MathRandom|\breceived_at\b|\bApproximate\w+|\$(?:now|millis|random|uuid)\b"
)

CHECKS: tuple[Check, ...] = (
    starts_are_machines,
    sink_machines_are_known,
    workers_have_activities,
    triggers_share_nothing,
    callbacks_are_free,
    dead_letters_leave,
    api_is_private,
    listeners_differ,
    webhooks_are_verified,
    names_are_stable,
    profiles_exist,
    templates_are_jsonpath,
)


def _webhooks(settings: Settings) -> list[tuple[str, WebhookSource]]:
    return [
        (name, trigger.source)
        for name, trigger in settings.triggers.items()
        if isinstance(trigger.source, WebhookSource)
    ]


def _texts(value: Json, path: str) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for key, below in value.items():
                yield from _texts(below, f"{path}.{key}")
        case list():
            for i, below in enumerate(value):
                yield from _texts(below, f"{path}[{i}]")
        case _:
            pass


def _intakes(trigger: TriggerSettings) -> Iterator[tuple[str, str]]:
    """What the trigger's source takes messages from: the key that says so, and it in words."""
    match trigger.source:
        case SqsSource() as source:
            yield "queue_url", f"the queue {source.queue_url.rstrip('/')}"
        case KafkaSource() as source:
            for topic in dict.fromkeys(source.topics):
                yield "topics", f"the topic {topic} of group {source.group}"
        case WebhookSource() as source:
            # Which words a path's parameters have makes no difference to what it matches.
            path = re.sub(r"\{[^}]*\}", "{}", source.path).rstrip("/") or "/"
            for method in dict.fromkeys(source.methods):
                yield "path", f"{method} {path}"

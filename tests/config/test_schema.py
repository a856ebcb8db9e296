"""The schema and the reference say what the settings accept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml

from gateway.config.schema import json_schema, reference_table
from gateway.config.settings import Settings


def test_every_key_is_documented():
    """Each key of each mapping has its meaning; an editor and the reference show it."""
    schema = json_schema()
    for model in (schema, *schema["$defs"].values()):
        for key, member in model.get("properties", {}).items():
            target = schema["$defs"].get(member.get("$ref", "").rpartition("/")[2], {})
            assert member.get("description") or target.get("description"), (model["title"], key)


def test_schema_is_json_with_defaults_as_written():
    """Defaults stand in the schema as people write them."""
    schema = json.loads(json.dumps(json_schema()))
    assert schema["properties"]["grace"]["default"] == "10s"
    assert schema["$defs"]["StoreSettings"]["properties"]["keep"]["default"] == "90d"
    listen = schema["$defs"]["ApiSettings"]["properties"]["listen"]
    assert listen["default"] == "127.0.0.1:8083"
    assert schema["additionalProperties"] is False


def test_reference():
    """Every section, source, sink and way to verify has its table; values read as in YAML."""
    table = reference_table()
    for key in Settings.model_fields:
        assert f"| `{key}` |" in table
    for place in (
        "triggers.<name>.source (sqs)",
        "triggers.<name>.source (kafka)",
        "triggers.<name>.source (webhook).verify (github)",
        "triggers.<name>.dead_letter (sqs)",
        "sinks.<name>.to (sns)",
        "sinks.<name>.retry",
        "workers.<name>",
    ):
        assert f"`{place}`" in table
    assert "| `batch_size` | whole number, 1 to 10 | `10` |" in table
    assert "| `give_up_after` | as `30s` | `3d` |" in table
    queue = "https://sqs.us-east-1.amazonaws.com/123456789012/orders"
    assert f"| `queue_url` | as `{queue}` | **required** |" in table
    assert "\n| `insecure` | true or false | `false` |" in table


EXAMPLES = sorted(Path(__file__).parents[2].glob("config/*.yaml"))


def refused(written: str) -> list[str]:
    """The places of a file that an editor underlines."""
    found = jsonschema.Draft202012Validator(json_schema()).iter_errors(yaml.safe_load(written))
    return [".".join(map(str, error.absolute_path)) for error in found]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_accepted(example):
    """An editor has nothing to say of the examples, whose variables are not replaced yet."""
    assert refused(example.read_text()) == []


@pytest.mark.parametrize(
    "written",
    [
        "account: 123456789012",
        "grace: ${GRACE:-30s}",
        "workers: { w: { activity: a, command: [b], processes: '${N}' } }",
        "api: { insecure: '${OPEN:-false}' }",
        "sinks: { s: { to: { type: webhook, url: '${URL}' }, when: ['${STATUS}'] } }",
    ],
)
def test_variables_are_accepted(written):
    """A variable may stand for a number, a choice or a duration as well."""
    assert refused(written) == []


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("regoin: us-east-1", ""),
        ("region: mars", "region"),
        ("grace: 30 seconds", "grace"),
        ("api: { insecure: maybe }", "api.insecure"),
        ("api: { listen: 8083 }", "api.listen"),
        ("workers: { w: { activity: a, command: [b], processes: '2' } }", "workers.w.processes"),
        ("triggers: { t: { start: m, source: { type: sqs, queue_url: q } } }", "triggers.t.source"),
        ("sinks: { s: { to: { type: pigeon } } }", "sinks.s.to"),
        ("connections: { c: { type: basic, username: a:b, password: c } }", "connections.c"),
    ],
)
def test_mistakes_are_refused(written, place):
    """An editor shows where a mistake is."""
    assert refused(written) == [place]


def patterned(schema) -> Iterator[dict]:
    """Every part of a schema that has a pattern."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema
        for below in schema.values():
            yield from patterned(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from patterned(below)


def test_a_pattern_has_an_example():
    """Where a text has to look in some way there is one that does, to be shown to people."""
    for schema in patterned(Settings.model_json_schema()):
        for example in schema.get("examples", [None] if schema["pattern"] != "^[^:]+$" else []):
            assert re.search(schema["pattern"], str(example)), schema

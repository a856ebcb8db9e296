"""The schema and the reference say what the settings accept."""

from __future__ import annotations

import json

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
    assert "| `queue_url` | text | **required** |" in table
    assert "\n| `insecure` | true or false | `false` |" in table

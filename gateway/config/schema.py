"""What the settings say of themselves: a JSON Schema for editors and a reference for people."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from textwrap import dedent
from typing import Any, TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import ModelSchema

from gateway.config.listen import Address
from gateway.config.settings import Settings
from gateway.durations import format_duration
from gateway.strict import Strict

Json: TypeAlias = Any

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Documented(GenerateJsonSchema):
    """Describes each member by the text under it."""

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        """The JSON Schema of one class of settings."""
        made = super().model_schema(schema)
        for name, text in _member_texts(schema["cls"]).items():
            if name in made.get("properties", {}):
                made["properties"][name]["description"] = text
        return made


def _member_texts(model: type[BaseModel]) -> dict[str, str]:
    """What stands under each member of the class and of those that it is made from, by the member's
    name."""
    found: dict[str, str] = {}
    for each in reversed(model.mro()):
        if issubclass(each, Strict) and each is not Strict:
            found |= _own_texts(each)
    return found


def _own_texts(model: type[BaseModel]) -> dict[str, str]:
    (definition,) = ast.parse(dedent(inspect.getsource(model))).body
    assert isinstance(definition, ast.ClassDef), "the source of a class is its definition"
    found = {}
    for member, below in pairwise(definition.body):
        match member, below:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                found[name] = inspect.cleandoc(text)
            case _:
                pass
    return found


def json_schema() -> dict[str, Json]:
    """The JSON Schema of a configuration file, for ``# yaml-language-server: $schema=…``. It takes
    what stands in the file, where variables are not replaced yet."""
    schema: dict[str, Json] = _variable(_settings_schema())
    return schema


def _variable(schema: Json) -> Json:
    """The schema with a text that has a variable in it wherever one may give the value."""
    match schema:
        case {"const": str()}:
            return schema
        case {"pattern": str(pattern)}:
            return schema | {"pattern": rf"{_VARIABLE}|{pattern}"}
        case {"enum": list()} | {"format": str()} | {"type": "integer" | "number" | "boolean"}:
            about = {key: value for key, value in schema.items() if key in _ABOUT}
            value = {key: below for key, below in schema.items() if key not in _ABOUT}
            return about | {"anyOf": [value, {"type": "string", "pattern": _VARIABLE}]}
        case dict():
            return {key: _variable(below) for key, below in schema.items()}
        case list():
            return [_variable(below) for below in schema]
        case _:
            return schema


_VARIABLE = r"\$\{"
_ABOUT = {"title", "description", "default", "examples"}


def _settings_schema() -> dict[str, Json]:
    made = Settings.model_json_schema(schema_generator=_Documented)
    schema = {"$schema": _DIALECT, **made, "title": "Stategate"}
    for model in (schema, *schema["$defs"].values()):
        for member in model.get("properties", {}).values():
            if "default" in member:
                member["default"] = _as_written(member)
    return schema


def reference_table() -> str:
    """The configuration reference in Markdown: one table for each kind of mapping."""
    whole = _settings_schema()
    places: dict[str, list[str]] = {}
    models: dict[str, Json] = {}
    for name, section in whole["properties"].items():
        for place, model in _sections(whole, name, section):
            places.setdefault(model["title"], []).append(f"`{place}`")
            models[model["title"]] = model
    tables = [_table(", ".join(places[title]), whole, model) for title, model in models.items()]
    return "\n".join([_table("The file", whole, whole), *tables])


def _as_written(member: Json) -> Json:
    """A default as people write it: pydantic gives those of durations and addresses as they are
    inside the program."""
    match member:
        case {"type": "string", "default": int() | float() as seconds}:
            return format_duration(seconds)
        case {"type": "string", "default": [host, port]}:
            return str(Address(host, port))
        case {"default": dict()}:
            # A mapping's members have their own defaults.
            return {}
        case _:
            return member["default"]


def _sections(whole: Json, title: str, schema: Json) -> Iterator[tuple[str, Json]]:
    """The mappings at and below a place of the file that have keys of their own."""
    schema = _resolved(whole, schema)
    if "discriminator" in schema:
        kinds = {
            tag: _resolved(whole, {"$ref": reference})
            for tag, reference in schema["discriminator"]["mapping"].items()
        }
        common = _common([kind["properties"] for kind in kinds.values()])
        if common:
            every = {"title": title, "description": "Whatever the type:", "properties": common}
            yield f"{title} (all types)", every
        for tag, kind in kinds.items():
            own = {key: below for key, below in kind["properties"].items() if key not in common}
            yield from _sections(whole, f"{title} ({tag})", kind | {"properties": own})
    for choice in schema.get("anyOf", ()):
        yield from _sections(whole, title, choice)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _sections(whole, f"{title}.<name>", schema["additionalProperties"])
    if "properties" in schema:
        yield title, schema
        for key, below in schema["properties"].items():
            yield from _sections(whole, f"{title}.{key}", below)


def _common(kinds: list[Json]) -> Json:
    """What all the kinds have alike, where that is worth a table of its own."""
    first, *others = kinds
    alike = {k: v for k, v in first.items() if all(other.get(k) == v for other in others)}
    return alike if others and len(alike) >= _WORTH_A_TABLE else {}


_WORTH_A_TABLE = 3


def _table(title: str, whole: Json, schema: Json) -> str:
    lines = [f"### {title}", "", _flat(schema["description"]), ""]
    # The type stands in the title, in brackets.
    keys = {key: below for key, below in schema["properties"].items() if "const" not in below}
    if keys:
        lines += ["| key | type | default | |", "|---|---|---|---|"]
    required = schema.get("required", ())
    for key, below in keys.items():
        default = "**required**" if key in required else _default(below)
        meaning = _flat(_resolved(whole, below).get("description", ""))
        lines.append(f"| `{key}` | {_type(whole, below)} | {default} | {meaning} |")
    return "\n".join([*lines, ""])


def _type(whole: Json, schema: Json) -> str:
    """What may stand there, in a word or two."""
    schema = _resolved(whole, schema)
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ", ".join(f"`{value}`" for value in values)
    if "anyOf" in schema:
        kinds = [_type(whole, choice) for choice in schema["anyOf"] if choice != {"type": "null"}]
        return " or ".join(dict.fromkeys(kinds))
    if schema.get("type") == "array":
        item = _type(whole, schema["items"])
        return f"list of {'text ' if item.startswith('as ') else ''}{item}"
    if "examples" in schema:
        return f"as `{schema['examples'][0]}`"
    kinds = schema.get("type", "object" if "oneOf" in schema else "")
    words = [
        _WORDS.get(kind, "anything") for kind in (kinds if isinstance(kinds, list) else [kinds])
    ]
    return " or ".join(words) + _range(schema)


def _range(schema: Json) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if high is not None:
        return f", {low} to {high}"
    return f", at least {low}" if low is not None else ""


_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "mapping",
}


def _default(schema: Json) -> str:
    match schema.get("default"):
        case None | "" | dict() | []:
            return ""
        case bool() as value:
            return f"`{str(value).lower()}`"
        case list() as values:
            return ", ".join(f"`{value}`" for value in values)
        case value:
            return f"`{value}`"


def _resolved(whole: Json, schema: Json) -> Json:
    """The schema that a reference means; what stands beside the reference stays."""
    while "$ref" in schema:
        below = whole["$defs"][schema["$ref"].rpartition("/")[2]]
        schema = below | {key: value for key, value in schema.items() if key != "$ref"}
    return schema


def _flat(text: str) -> str:
    return " ".join(text.replace("``", "`").split()).replace("|", "\\|")

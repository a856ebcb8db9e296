"""The members of a Distributed Map in a definition: which there are, what each must look like, and
what an execution makes of it when the state starts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Final

from gateway.asl.fields import Fields
from gateway.asl.languages.language import QueryLanguage
from gateway.asl.scope import Json, Scope
from gateway.asl.states.distributed import DistributedMap
from gateway.asl.states.state import Program, StateMachine

Evaluate = Callable[[Scope], Json]

DISTRIBUTED: Final = "DISTRIBUTED"
LABEL_LENGTH_MAX: Final = 40
_ILLEGAL_IN_LABELS: Final = re.compile(r'[\s?*<>{}\[\]:;,/\\|^~$#%&`"\x00-\x1f\x7f-\x9f]')
_ONLY_DISTRIBUTED: Final = (
    "ItemBatcher",
    "ItemReader",
    "Label",
    "ResultWriter",
)
_INLINE: Final = "INLINE"
_TOLERANCES: Final[dict[str, tuple[str, type[int] | type[float]]]] = {
    "toleratedFailureCount": ("ToleratedFailureCount", int),
    "toleratedFailurePercentage": ("ToleratedFailurePercentage", float),
}
"""By their names in a map run."""
_READER_ACTIONS: Final = ("s3:getObject", "s3:listObjectsV2")
_INPUT_TYPES: Final = ("CSV", "JSON", "JSONL", "MANIFEST")
_OF_READERS: Final = (
    "CSVDelimiter",
    "CSVHeaderLocation",
    "CSVHeaders",
    "InputType",
    "ItemsPointer",
    "ManifestType",
    "Transformation",
)
"""Members of ReaderConfig that are constants."""
_DELIMITERS: Final = ("COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB")


def is_distributed(processor: Fields) -> bool:
    """Whether the processor of a Map says ``Mode: DISTRIBUTED``; notes what is wrong there."""
    config = processor.object("ProcessorConfig")
    if config is None:
        return False
    mode = config.chosen("Mode", (_INLINE, DISTRIBUTED)) or _INLINE
    if mode == DISTRIBUTED:
        config.require("ExecutionType")
        config.chosen("ExecutionType", ("STANDARD", "EXPRESS"))
    elif "ExecutionType" in config:
        config.error("An ExecutionType belongs to Mode DISTRIBUTED", "ExecutionType")
    return mode == DISTRIBUTED


def only_inline(fields: Fields, language: QueryLanguage) -> None:
    """Note the members of an inline Map that only a distributed one has. How many failures it
    tolerates it may say, as AWS takes it, but it tolerates none."""
    for name in _ONLY_DISTRIBUTED:
        if name in fields:
            fields.error("Field is not supported when Mode is INLINE", name)
    for name, kind in _TOLERANCES.values():
        language.tolerated(fields, name, kind)


def distributed_map(
    fields: Fields,
    processor: Fields,
    program: Program,
    members: dict[str, Json],
    language: QueryLanguage,
) -> DistributedMap:
    """The state; ``members`` are those that every Map has."""
    options = {
        "reader": _reader(fields, language),
        "batcher": _batcher(fields, language),
        "writer": _writer(fields, language),
    }
    if processor.members["ProcessorConfig"].get("ExecutionType") == "EXPRESS":
        options["express"] = lambda _scope: True
    return DistributedMap(
        **members,
        label=_label(fields),
        child=program,
        limits={
            "maxConcurrency": language.count(fields, "MaxConcurrency"),
            **{
                limit: language.tolerated(fields, name, kind)
                for limit, (name, kind) in _TOLERANCES.items()
            },
        },
        options={name: option for name, option in options.items() if option is not None},
    )


# --------------------------------------------------------------------------- labels


def _label(fields: Fields) -> str:
    """Label, or one that is made of the state's name and place, as no other state has it."""
    label = fields.string("Label")
    if label is None:
        name = _ILLEGAL_IN_LABELS.sub("-", fields.location.rpartition("/")[2])
        return f"{name[:31]}-{sha256(fields.location.encode()).hexdigest()[:8]}"
    if not label:
        fields.error("Label cannot be empty", "Label")
    elif len(label) > LABEL_LENGTH_MAX:
        fields.error(f"Label cannot exceed {LABEL_LENGTH_MAX} characters", "Label")
    elif illegal := _ILLEGAL_IN_LABELS.search(label):
        fields.error(f"Label contains invalid character: {illegal[0]!r}", "Label")
    return label


def check_labels(fields: Fields, program: Program) -> None:
    """Note labels that several states have."""
    seen: set[str] = set()
    for state in _maps(program):
        if state.label in seen:
            fields.error(f"Label is not unique: {state.label}")
        seen.add(state.label)


def machines_of_maps(program: Program) -> dict[str, StateMachine]:
    """What the children of each Distributed Map in it run, by label; nested ones, too."""
    machines: dict[str, StateMachine] = {}
    for state in _maps(program):
        child = state.child
        machines[state.label] = StateMachine(child.start_at, child.states, None, machines)
    return machines


def _maps(program: Program) -> Iterator[DistributedMap]:
    for state in program.states.values():
        if isinstance(state, DistributedMap):
            yield state
        for each in state.inner:
            yield from _maps(each)


# ---------------------------------------------------------- reader, batcher and writer


def _s3(fields: Fields, actions: tuple[str, ...]) -> None:
    fields.require("Resource")
    resource = fields.string("Resource") or ""
    if not resource.endswith(tuple(f":states:::{action}" for action in actions)):
        fields.error(f"Expected the resource of one of [{', '.join(actions)}]", "Resource")


def _evaluated(members: dict[str, Evaluate | None]) -> Evaluate:
    """An object of those members that are there; one that gives None is left out."""
    present = {name: evaluate for name, evaluate in members.items() if evaluate is not None}

    def evaluate(scope: Scope) -> Json:
        found = {name: member(scope) for name, member in present.items()}
        return {name: value for name, value in found.items() if value is not None}

    return evaluate


def _constant(value: Json) -> Evaluate:
    return lambda _scope: value


def _reader(fields: Fields, language: QueryLanguage) -> Evaluate | None:
    reader = fields.object("ItemReader")
    if reader is None:
        return None
    _s3(reader, _READER_ACTIONS)
    config = reader.object("ReaderConfig") or Fields({}, "", reader.diagnostics)
    input_type = config.chosen("InputType", _INPUT_TYPES)
    listed = str(reader.members.get("Resource")).endswith("listObjectsV2")
    loaded = not listed or config.members.get("Transformation") == "LOAD_AND_FLATTEN"
    if "InputType" not in config and loaded:
        reader.error("These fields are required: [ReaderConfig/InputType]")
    header = config.chosen("CSVHeaderLocation", ("FIRST_ROW", "GIVEN"))
    if input_type == "CSV" and header is None:
        config.require("CSVHeaderLocation")
    if header == "GIVEN":
        config.require("CSVHeaders")
    if not all(isinstance(each, str) for each in config.listed("CSVHeaders")):
        config.error("Expected value of type String", "CSVHeaders")
    config.chosen("CSVDelimiter", _DELIMITERS)
    config.chosen("ManifestType", ("ATHENA_DATA", "S3_INVENTORY"))
    config.chosen("Transformation", ("NONE", "LOAD_AND_FLATTEN"))
    return _evaluated(
        {
            "resource": _constant(str(reader.members.get("Resource"))),
            "parameters": language.payload(reader),
            **{name: _constant(config.members[name]) for name in _OF_READERS if name in config},
            "MaxItems": language.count(config, "MaxItems"),
        }
    )


def _batcher(fields: Fields, language: QueryLanguage) -> Evaluate | None:
    batcher = fields.object("ItemBatcher")
    if batcher is None:
        return None
    names = ("MaxItemsPerBatch", "MaxInputBytesPerBatch")
    if not any(name in batcher or f"{name}Path" in batcher for name in names):
        batcher.error(f"At least one of these fields must be present: [{', '.join(names)}]")
    members: dict[str, Evaluate | None] = {name: language.count(batcher, name) for name in names}
    return _evaluated({**members, "BatchInput": language.template(batcher, "BatchInput")})


def _writer(fields: Fields, language: QueryLanguage) -> Evaluate | None:
    writer = fields.object("ResultWriter")
    if writer is None:
        return None
    config = writer.object("WriterConfig") or Fields({}, "", writer.diagnostics)
    if "Resource" in writer or "WriterConfig" not in writer:
        _s3(writer, ("s3:putObject",))
    config.chosen("Transformation", ("NONE", "COMPACT", "FLATTEN"))
    config.chosen("OutputType", ("JSON", "JSONL"))
    return _evaluated(
        {
            "parameters": language.payload(writer),
            "Transformation": _constant(config.members.get("Transformation")),
            "OutputType": _constant(config.members.get("OutputType")),
        }
    )

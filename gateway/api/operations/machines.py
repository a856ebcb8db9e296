"""The operations on state machines."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from gateway.api.model import Request, Response
from gateway.api.operations.operation import Table
from gateway.api.paging import one_page
from gateway.asl.errors import DefinitionError, Diagnostic
from gateway.asl.references import variable_references
from gateway.asl.validation import accepted
from gateway.engine.arns import check_role, qualified, read_arn, refuse_label
from gateway.engine.catalog import INITIAL, Catalog
from gateway.engine.machine_settings import Settings, read_settings
from gateway.engine.publications import Target
from gateway.engine.tags import read_tags
from gateway.errors import ApiError
from gateway.store.rows import MachineRow, RevisionRow

_SETTINGS: Final = (
    "loggingConfiguration",
    "tracingConfiguration",
    "encryptionConfiguration",
)
_DIAGNOSTICS_MAX: Final = 100


class Machines:
    """State machines as the catalog has them."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def table(self) -> Table:
        """These operations by name."""
        return {
            "CreateStateMachine": self.create,
            "DescribeStateMachine": self.describe,
            "UpdateStateMachine": self.update,
            "DeleteStateMachine": self.delete,
            "ListStateMachines": self.list,
            "ValidateStateMachineDefinition": self.validate,
        }

    async def create(self, request: Request) -> Response:
        """CreateStateMachine."""
        _check_description(request)
        check_role(request["roleArn"])
        machine, revision = await self._catalog.create_machine(
            request["name"],
            request["definition"],
            request["roleArn"],
            request.get("type", "STANDARD"),
            _settings(request),
            tags=read_tags(request.get("tags", ())),
            publish=_description(request) if request.get("publish") else None,
        )
        published = await self._published(revision, request)
        return {
            "stateMachineArn": machine.arn,
            "creationDate": machine.created_at,
            **published,
        }

    async def describe(self, request: Request) -> Response:
        """DescribeStateMachine, as it is now or as a version has it."""
        arn = machine_arn(request)
        target = self._catalog.publications.named(arn)
        machine = self._catalog.existing_machine(target.machine_arn)
        revision = await self._catalog.revision(target.machine_arn, target.version)
        return {
            "stateMachineArn": arn,
            "name": machine.name,
            "status": machine.status,
            "type": machine.type,
            "creationDate": machine.created_at,
            **await described_revision(self._catalog, revision, request),
            **self._described_version(target),
        }

    def _described_version(self, target: Target) -> Response:
        if target.version is None:
            return {}
        version = self._catalog.publications.version(target.machine_arn, target.version)
        assert version is not None, "the ARN has just been found to name one"
        description = {"description": version.description} if version.description else {}
        return {"creationDate": version.created_at, **description}

    async def update(self, request: Request) -> Response:
        """UpdateStateMachine."""
        _check_description(request)
        if "roleArn" in request:
            check_role(request["roleArn"])
        _, revision = await self._catalog.update_machine(
            _plain_arn(request),
            request.get("definition"),
            request.get("roleArn"),
            _settings(request),
        )
        published = await self._published(revision, request)
        return {"updateDate": revision.created_at, **_revision_id(revision), **published}

    async def _published(self, revision: RevisionRow, request: Request) -> Response:
        if not request.get("publish"):
            return {}
        row = await self._catalog.publications.publish_revision(revision, _description(request))
        return {"stateMachineVersionArn": qualified(row.machine_arn, row.number)}

    async def delete(self, request: Request) -> Response:
        """DeleteStateMachine."""
        await self._catalog.delete_machine(_plain_arn(request))
        return {}

    async def list(self, request: Request) -> Response:
        """ListStateMachines, by name."""
        rows, more = one_page(self._catalog.machines(), _by_name, "ListStateMachines", request)
        return {"stateMachines": [_listed(row) for row in rows], **more}

    async def validate(self, request: Request) -> Response:
        """ValidateStateMachineDefinition."""
        definition, kind = request["definition"], request.get("type", "STANDARD")
        found = await self._catalog.aside(definition, partial(_diagnostics, definition, kind))
        wanted = found if request.get("severity") == "WARNING" else _errors(found)
        shown = wanted[: request.get("maxResults") or _DIAGNOSTICS_MAX]
        return {
            "result": "FAIL" if _errors(found) else "OK",
            "diagnostics": [_diagnostic(each) for each in shown],
            "truncated": len(shown) < len(wanted),
        }


async def described_revision(catalog: Catalog, revision: RevisionRow, request: Request) -> Response:
    """The members that describe a revision; where metadata is asked for, its definition is ``{}``,
    as AWS has it."""
    settings = read_settings(revision.settings)
    whole = request.get("includedData") != "METADATA_ONLY"
    text = revision.definition
    named = await catalog.aside(text, partial(variable_references, text)) if whole else {}
    return {
        "definition": text if whole else "{}",
        "roleArn": revision.role_arn,
        **{name: settings[name] for name in _SETTINGS},
        **_revision_id(revision),
        **({"variableReferences": named} if named else {}),
    }


def _revision_id(revision: RevisionRow) -> Response:
    known = revision.revision_id != INITIAL
    return {"revisionId": revision.revision_id} if known else {}


def machine_arn(request: Request) -> str:
    """The request's stateMachineArn. Raises ApiError InvalidArn."""
    arn: str = request["stateMachineArn"]
    read_arn(arn, "stateMachine")
    return arn


def _plain_arn(request: Request) -> str:
    """Raises ApiError ValidationException for that of a Distributed Map state as well."""
    arn = machine_arn(request)
    refuse_label(arn)
    return arn


def _settings(request: Request) -> Settings:
    return {name: request[name] for name in _SETTINGS if name in request}


def _description(request: Request) -> str:
    description: str = request.get("versionDescription", "")
    return description


def _check_description(request: Request) -> None:
    if "versionDescription" in request and not request.get("publish"):
        message = "Version description can only be set when publish is true"
        raise ApiError("ValidationException", message)


def _by_name(row: MachineRow) -> str:
    return row.name


def _listed(row: MachineRow) -> dict[str, Any]:
    return {
        "stateMachineArn": row.arn,
        "name": row.name,
        "type": row.type,
        "creationDate": row.created_at,
    }


def _diagnostics(definition: str, type: str) -> list[Diagnostic]:  # noqa: A002 - AWS's word
    try:
        accepted(definition, type)
    except DefinitionError as error:
        return error.diagnostics
    return []


def _errors(found: list[Diagnostic]) -> list[Diagnostic]:
    return [each for each in found if each.severity == "ERROR"]


def _diagnostic(each: Diagnostic) -> dict[str, Any]:
    return {
        "severity": each.severity,
        "code": each.code,
        "message": each.message,
        "location": each.location,
    }

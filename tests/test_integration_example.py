"""The README's integration of one's own works as it stands there."""

from __future__ import annotations

import json
import re

from gateway.tasks import integrations
from tests.readme import README
from tests.tasks.functions_rig import calling

TEXT = README.read_text(encoding="utf-8")


def block(language, word):
    """The fenced block of that language with that word."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    (text,) = (each for each in found if word in each)
    return text


async def test_an_integration_is_a_file_and_a_line(monkeypatch, tmp_path):
    """The file, registered as the README says, is called by the state that the README shows; what
    it raises is matched by Catch."""
    names: dict[str, object] = {"__name__": "gateway.tasks.files"}
    exec(block("python", "files:write"), names)
    registered = (*integrations._INTEGRATIONS, names["Files"])
    monkeypatch.setattr(integrations, "_INTEGRATIONS", registered)
    state = block("json", "files:write").replace("/var/spool", str(tmp_path))
    state = json.loads(f"{{{state}}}")["Print label"]
    del state["Next"]
    async with calling({}) as rig:
        given = json.dumps({"id": "7", "label": "To Ada"})
        caught = await rig.output(given, **{**state, "Catch": [_catch(state)]})
        assert caught["Error"] == "Files.NotWritten"
        tmp_path.joinpath("labels").mkdir()
        assert await rig.output(given, **{**state, "Catch": [_catch(state)]}) == {"Characters": 6}
    assert (tmp_path / "labels" / "7.txt").read_text() == "To Ada"


def _catch(state):
    (rule,) = state["Catch"]
    return {**rule, "Next": "P"}

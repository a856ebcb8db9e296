"""The model that every settings class is made from.

At the bottom of the layers, so that each adapter keeps its settings beside its code.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Settings that cannot change, with no members but those that are declared.

    The text under a member is its documentation; it is read when somebody asks for it
    (``gateway.config.schema``), and validators are built for the classes that validate something:
    together that is a quarter of the time that a start takes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

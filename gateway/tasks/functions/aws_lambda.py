"""A function of AWS Lambda, with settings of its own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gateway.tasks.functions.function import FunctionSettings


class AwsFunction(FunctionSettings):
    """The function of AWS Lambda, over the Invoke API: what every function is that has no entry."""

    type: Literal["lambda"]
    """``lambda``"""
    function: Annotated[str, Field(min_length=1)] | None = None
    """ARN or name of the function that is called. Default: what the task names."""
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    """Calls at a time; further ones wait."""

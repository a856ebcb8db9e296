"""Choice rules, and those in JSONPath: And, Or and Not over the operators of ``choice_operators``.

A whole rule is checked at once: all that is wrong with it is reported together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.asl.choice_operators import Condition, compile_operand_path, compile_operator
from gateway.asl.errors import DefinitionError, Diagnostic, ExpressionError
from gateway.asl.scope import Json, Scope

if TYPE_CHECKING:
    from gateway.asl.languages.language import Exit

MOST_NESTED = 50
"""And, Or and Not in each other: deeper than anybody writes; no recursion ends the daemon."""

_NOT_OPERATORS = frozenset(("Next", "Variable", "Comment", "Assign", "Output"))


@dataclass(frozen=True, slots=True)
class ChoiceRule:
    """One of a Choice state's ``Choices``."""

    next: str
    """The name of the state to go to."""
    condition: Condition
    exit: Exit
    """The way out of the state with this rule."""

    def matches(self, scope: Scope) -> bool:
        """Whether the execution goes this way. Raises StateError where a path leads nowhere."""
        return self.condition(scope)


def compile_rule(rule: Json, location: str) -> tuple[str, Condition]:
    """Where the rule at ``location`` (as ``/States/A/Choices[0]``) leads, and when.
    DefinitionError: all that is wrong."""
    compiler = _Compiler()
    condition = compiler.condition(rule, location, 0)
    target = rule.get("Next") if isinstance(rule, dict) else None
    if isinstance(rule, dict) and "Next" not in rule:
        compiler.report("These fields are required: [Next]", location)
    elif isinstance(rule, dict) and not isinstance(target, str):
        compiler.report("Expected value of type String", f"{location}/Next")
    if compiler.diagnostics or condition is None or not isinstance(target, str):
        raise DefinitionError(compiler.diagnostics)
    return target, condition


class _Compiler:
    """Compiles conditions and gathers what is wrong; a condition that is wrong is None."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []

    def report(self, message: str, location: str) -> None:
        self.diagnostics.append(Diagnostic("SCHEMA_VALIDATION_FAILED", location, message))

    def condition(self, rule: Json, location: str, depth: int) -> Condition | None:
        if not isinstance(rule, dict):
            self.report("Expected value of type Object", location)
            return None
        if depth > MOST_NESTED:
            self.report(f"Rules are nested more than {MOST_NESTED} deep", location)
            return None
        if depth and "Next" in rule:
            self.report("The field 'Next' is allowed in a rule of 'Choices' only", location)
        operators = [name for name in rule if name not in _NOT_OPERATORS]
        if len(operators) != 1:
            found = ", ".join(operators) or "none"
            self.report(f"A choice rule must have one operator; it has {found}", location)
            return None
        return self._operator(operators[0], rule, location, depth)

    def _operator(
        self, name: str, rule: dict[str, Json], location: str, depth: int
    ) -> Condition | None:
        match name:
            case "And" | "Or":
                return self._junction(name, rule[name], f"{location}/{name}", depth)
            case "Not":
                negated = self.condition(rule[name], f"{location}/{name}", depth + 1)
                return None if negated is None else lambda scope: not negated(scope)
            case _:
                return self._comparison(name, rule, location)

    def _comparison(self, name: str, rule: dict[str, Json], location: str) -> Condition | None:
        try:
            variable = compile_operand_path("Variable", rule.get("Variable"))
            return compile_operator(name, rule[name], variable)
        except ExpressionError as error:
            self.report(str(error), location)
            return None

    def _junction(self, name: str, rules: Json, location: str, depth: int) -> Condition | None:
        if not isinstance(rules, list) or not rules:
            empty = "Value cannot be empty"
            self.report(empty if rules == [] else "Expected value of type Array", location)
            return None
        conditions: list[Condition] = []
        for number, rule in enumerate(rules):
            condition = self.condition(rule, f"{location}[{number}]", depth + 1)
            if condition is not None:
                conditions.append(condition)
        decide = all if name == "And" else any
        return lambda scope: decide(condition(scope) for condition in conditions)

"""Broken expressions and definitions by the thousand: ``python -m tests.asl.fuzz --seconds 60``.

Pieces of valid texts are cut, doubled and joined; whatever comes of it must be compiled or refused,
and evaluated or failed, by the errors of the language alone. Prints what was not, with its seed.
"""

import argparse
import copy
import json
import re
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random

from gateway.asl.errors import DefinitionError, ExpressionError, StateError
from gateway.asl.expression import compile_expression
from gateway.asl.jsonata.errors import JsonataError
from gateway.asl.jsonata.expression import compile_jsonata
from gateway.asl.jsonata.table import FUNCTIONS
from gateway.asl.members import CATCHER, MACHINE, RETRIER, STATES
from gateway.asl.references import variable_references
from gateway.asl.scope import Scope
from gateway.asl.validation import accepted
from gateway.config.definitions import check_definition
from tests.asl.test_accepted import ACCEPTED

JSONATA = [
    *(f"${name}(e,e)" for name in FUNCTIONS),
    *(f"${name}(e)" for name in FUNCTIONS),
    *(f"e ~> ${name}" for name in FUNCTIONS),
    *(f"${name}(e,e,e)" for name in FUNCTIONS),
    "$states.input",
    "$states.input.a",
    "$x",
    "a",
    "e.e",
    "e[e]",
    "(e)",
    "[e,e]",
    "{e:e}",
    "e{e:e}",
    "e[]",
    "'a'",
    "'1,2'",
    "''",
    "1",
    "0",
    "-1",
    "1e300",
    "2.5",
    "null",
    "true",
    "[]",
    "{}",
    "undefined",
    "'[Y]-[M]'",
    "'#,##0.0'",
    "'+0100'",
    "'2020-01-01'",
    "1e20",
    "-1e9",
    "'9999999999999'",
    "'w'",
    "'I'",
    "'SHA-1'",
    "-e",
    "e + e",
    "e * e",
    "e / e",
    "e % e",
    "e & e",
    "e = e",
    "e < e",
    "e and e",
    "e in e",
    "[e..e]",
    "e ~> e",
    "($y := e; e)",
    "$y",
    "e ? e : e",
    "e ?? e",
    "e ?: e",
    "function($y){e}",
    "function($y,$z){e}(e,e)",
    "λ($y)<n:n>{e}",
    "e^(e,>e)",
    "e@$y.e",
    "e#$y.e",
    "e.%",
    "**",
    "*",
    "|e|e,e|",
    "/a+/i",
    "/(a|b)*/",
    "$",
    "$$",
    "$sum(?, e)(e)",
    "($f := function($y){$f(e)}; $f(e))",
]
JSONPATH = [
    "$",
    "$$",
    "$v",
    ".a",
    "..",
    "*",
    "[0]",
    "[-1]",
    "[1:2]",
    "[*]",
    "['a']",
    "['a','b']",
    "[?(@.a>1)]",
    "[?(@.a=~/a.*/i)]",
    "[?(!@.a)]",
    "&&",
    "||",
    ".length()",
    ".min()",
    "@",
    "(",
    ")",
    "[",
    "]",
    "'",
    "\\",
    "States.Format('{}',",
    "States.Array(",
    "States.JsonToString(",
    "$.a",
    "1",
    ",",
    "null",
    " ",
    "States.UUID()",
]
DOCUMENT = {"a": [1, {"a": "aab", "b": None}, [2, 3]], "b": {"a": 1.5}}
ODD = [
    *(None, True, False, 0, 1, -1, 1.5, 1e300, 2**63, "", "$", "$.a", "{% $x %}", "{%", [], {}),
    *([None], {"a": 1}, "States.ALL", "STANDARD", "EXPRESS", "DISTRIBUTED", "JSONata", "CSV"),
    *(
        "Map",
        "Parallel",
        "Choice",
        "Task",
        "\ud800",
        "x" * 100,
        [[]],
        {"a.$": "$.b"},
        "arn:aws:a:b",
    ),
]
NAMES = sorted({name for names in STATES.values() for name in names} | MACHINE | RETRIER | CATCHER)
PACK = Path(__file__).parents[3].parent / "shared" / "conformance"


def text(dice, pieces):
    """Some pieces in a row, now and then with a character too many or too few."""
    made = "".join(dice.choice(pieces) for _ in range(dice.randint(1, 9)))
    if made and dice.random() < 0.3:
        at = dice.randrange(len(made))
        made = (
            made[:at] + dice.choice(["", "\\", "'", "\ud800", "\0", "[", "9" * 25]) + made[at + 1 :]
        )
    return made


def expression(dice, depth=0):
    """One of the forms, each ``e`` in it an expression in turn."""
    form = dice.choice(JSONATA)
    parts = re.split(r"(?<![a-zA-Z0-9$])e(?![a-zA-Z0-9'])", form)
    made = parts[0]
    for part in parts[1:]:
        made += (
            expression(dice, depth + 1) if depth < 4 else dice.choice(["1", "'a'", "$x"])
        ) + part
    return made


def try_jsonata(dice):
    """An expression of JSONata; every value is one that can be written down."""
    made = expression(dice)
    if dice.random() < 0.2:
        at = dice.randrange(len(made))
        made = (
            made[:at] + dice.choice(["", "\\", "'", "\ud800", "\0", "[", "9" * 25]) + made[at + 1 :]
        )
    yield made
    value = compile_jsonata(made).evaluate(
        {"states": {"input": DOCUMENT}, "x": [1, 2]}, random=lambda: Random(1), at=0
    )
    json.dumps(value)


def try_jsonpath(dice):
    """A path or an intrinsic call."""
    made = text(dice, JSONPATH)
    yield made
    compile_expression(made, field="x.$")(Scope(DOCUMENT, dict, lambda: Random(1)))


def mutated(dice, value):
    """A definition with a few things wrong: members gone, moved, renamed or of another type."""
    for _ in range(dice.randint(1, 4)):
        holders = [each for each in _containers(value) if each]
        if not holders:
            return value
        holder, other = dice.choice(holders), dice.choice(holders)
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        key = dice.choice(keys)
        match dice.randrange(6):
            case 0:
                del holder[key]
            case 1:
                holder[key] = copy.deepcopy(dice.choice(ODD))
            case 2:
                holder[key] = copy.deepcopy(dice.choice(_members(other)))
            case 3 if isinstance(holder, dict):
                holder[dice.choice(NAMES)] = holder.pop(key)
            case 4 if isinstance(holder, dict):
                holder[dice.choice(NAMES)] = copy.deepcopy(dice.choice(ODD))
            case _ if isinstance(holder[key], str):
                holder[key] = text(dice, [holder[key], *JSONPATH])
            case _:
                holder[key] = [holder[key]]
    return value


def _members(holder):
    return list(holder.values()) if isinstance(holder, dict) else holder


def _containers(value):
    if isinstance(value, dict | list):
        yield value
        for each in _members(value):
            yield from _containers(each)


def seeds():
    """Definitions that are right: those of the tests, and the recorded ones where they are."""
    found = [json.dumps(each) for each in ACCEPTED.values()]
    for path in sorted((PACK / "cases").rglob("*.json")):
        definition = json.loads(path.read_text()).get("definition")
        if isinstance(definition, dict):
            found.append(json.dumps(definition))
    return found


SEEDS = seeds()


def try_definition(dice):
    """A definition at the door, and what ``stategate check`` says of it."""
    made = json.dumps(mutated(dice, json.loads(dice.choice(SEEDS))))
    if dice.random() < 0.05:
        at = dice.randrange(len(made))
        made = made[:at] + made[at + dice.randint(1, 5) :]
    yield made
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "d.asl.json"
        file.write_text(made)
        found = check_definition(file)[1]
    with suppress(DefinitionError):
        accepted(made, "EXPRESS")
    machine = accepted(made)
    variable_references(made)
    assert machine.start_at in machine.states
    assert all(problem.warning for problem in found), "refused by check, but not at the door"


OURS = {
    try_jsonata: (ExpressionError, JsonataError),
    try_jsonpath: (ExpressionError, StateError),
    try_definition: (DefinitionError,),
}
"""What each may be answered with."""


def main():
    """Until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    found, tried, seed = Counter(), Counter(), arguments.seed
    end = time.monotonic() + arguments.seconds
    while time.monotonic() < end:
        seed += 1
        dice = Random(seed)
        attempt = dice.choice(list(OURS))
        made = ""
        try:
            made = next(steps := attempt(dice))
            next(steps, None)
            tried[attempt.__name__, "valid"] += 1
        except OURS[attempt] as error:
            tried[attempt.__name__, type(error).__name__] += 1
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            key = f"{type(error).__name__} {place.filename.rpartition('/')[2]}:{place.lineno}"
            if not found[key]:
                sys.stdout.write(f"seed {seed}: {made!r}: {key}: {error}\n")
            found[key] += 1
    sys.stdout.write(f"{dict(tried)} {dict(found)}\n")


if __name__ == "__main__":
    main()

"""Functions over arrays and objects, and those that call functions."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from gateway.asl.jsonata.errors import failure
from gateway.asl.jsonata.functions import Callee, call, call_with
from gateway.asl.jsonata.run import Run
from gateway.asl.jsonata.values import (
    UNDEFINED,
    Function,
    Sequence,
    Value,
    plain,
)
from gateway.asl.jsonpath.compare import identity, in_order, is_number
from gateway.asl.jsonpath.reading import weight
from gateway.asl.scope import Json


def count(_run: Run, values: Value) -> Value:
    """$count."""
    return 0 if values is UNDEFINED else len(values)


def append(run: Run, first: Value, second: Value) -> Value:
    """$append: single values count as arrays of one."""
    if first is UNDEFINED:
        return second
    if second is UNDEFINED:
        return first
    both = [each if isinstance(each, list) else [each] for each in (first, second)]
    run.spend(len(both[0]) + len(both[1]))
    return [*both[0], *both[1]]


def exists(_run: Run, value: Value) -> Value:
    """$exists."""
    return value is not UNDEFINED


def boolean(run: Run, value: Value) -> Value:
    """$boolean."""
    return UNDEFINED if value is UNDEFINED else run.holds(value)


def negation(run: Run, value: Value) -> Value:
    """$not."""
    return UNDEFINED if value is UNDEFINED else not run.holds(value)


def kind(_run: Run, value: Value) -> Value:
    """$type."""
    for name, types in _KINDS:
        if isinstance(value, types):
            return name
    return UNDEFINED


_KINDS: tuple[tuple[str, Any], ...] = (
    ("null", type(None)),
    ("boolean", bool),
    ("number", int | float),
    ("string", str),
    ("array", list),
    ("object", dict),
    ("function", Function),
)


def lookup(run: Run, value: Value, key: Value) -> Value:
    """$lookup, and what a name in a path does: in arrays, in each of their elements."""
    if isinstance(value, dict):
        return value.get(key, UNDEFINED)
    if not isinstance(value, list):
        return UNDEFINED
    run.spend(len(value))
    found = Sequence()
    for each in value:
        inner = each.get(key, UNDEFINED) if isinstance(each, dict) else lookup(run, each, key)
        if isinstance(inner, list):
            run.spend(len(inner))
            found.extend(inner)
        elif inner is not UNDEFINED:
            found.append(inner)
    return found


def keys(run: Run, value: Value) -> Value:
    """$keys: of the objects in an array, each key once."""
    if isinstance(value, list):
        return Sequence(dict.fromkeys(key for each in value for key in keys(run, each)))
    found = Sequence(value) if isinstance(value, dict) else Sequence()
    run.spend(1 + len(found))
    return found


def spread(run: Run, value: Value) -> Value:
    """$spread: an object for each member; of an array a plain array, of whatever length."""
    if isinstance(value, dict):
        run.spend(1 + len(value))
        return Sequence({key: member} for key, member in value.items())
    if not isinstance(value, list):
        return value
    found: list[Json] = [] if value else Sequence()
    for each in value:
        run.spend(1)
        inner = spread(run, each)
        found.extend(inner if isinstance(inner, list) else [inner])
    return found


def merge(run: Run, objects: Value) -> Value:
    """$merge: of equal keys the last one counts."""
    if objects is UNDEFINED:
        return UNDEFINED
    run.spend(sum(map(len, objects)))
    return {key: value for each in objects for key, value in each.items()}


def reverse(run: Run, values: Value) -> Value:
    """$reverse."""
    if values is UNDEFINED or len(values) <= 1:
        return values
    run.spend(len(values))
    return list(reversed(values))


def zipped(run: Run, *arrays: Value) -> Value:
    """$zip: the first ones, the second ones, … as long as each array has one."""
    if any(each is UNDEFINED for each in arrays):
        return []
    run.spend(sum(map(len, arrays)))
    return [list(each) for each in zip(*arrays, strict=False)]


def distinct(run: Run, values: Value) -> Value:
    """$distinct: the first of each, in order."""
    if not isinstance(values, list) or len(values) <= 1:
        return values
    found: dict[Hashable, Json] = {}
    for value in values:
        run.spend(weight(value))
        found.setdefault(identity(value), value)
    return (Sequence if isinstance(values, Sequence) else list)(found.values())


def shuffle(run: Run, values: Value) -> Value:
    """$shuffle."""
    if values is UNDEFINED or len(values) <= 1:
        return values
    run.spend(len(values))
    return run.random.sample(values, len(values))


def mapped(run: Run, values: Value, function: Value) -> Value:
    """$map: what is undefined is left out."""
    if values is UNDEFINED:
        return UNDEFINED
    found = Sequence()
    for index, value in enumerate(values):
        result = call_with(run, function, value, index, values)
        if result is not UNDEFINED:
            found.append(plain(result))
    return found


def filtered(run: Run, values: Value, function: Value) -> Value:
    """$filter."""
    if values is UNDEFINED:
        return UNDEFINED
    found = Sequence()
    for index, value in enumerate(values):
        if run.holds(call_with(run, function, value, index, values)):
            found.append(value)
    return found


def single(run: Run, values: Value, function: Value) -> Value:
    """$single: the only one. D3138, D3139: there are several, there is none."""
    if values is UNDEFINED:
        return UNDEFINED
    found = [
        value
        for index, value in enumerate(values)
        if function is UNDEFINED or run.holds(call_with(run, function, value, index, values))
    ]
    if len(found) != 1:
        raise failure("D3138" if found else "D3139")
    return found[0]


def reduced(run: Run, values: Value, function: Value, first: Value) -> Value:
    """$reduce, from the left."""
    if values is UNDEFINED:
        return UNDEFINED
    if not isinstance(function, Callee) or function.arity < 2:
        raise failure("D3050")
    start = 1 if first is UNDEFINED and values else 0
    result = values[0] if start else first
    for index, value in enumerate(values[start:], start):
        result = call_with(run, function, result, value, index, values)
    return result


def sift(run: Run, value: Value, function: Value) -> Value:
    """$sift: the members that pass; undefined where none does."""
    if value is UNDEFINED:
        return UNDEFINED
    found = {
        key: member
        for key, member in value.items()
        if run.holds(call_with(run, function, member, key, value))
    }
    return found or UNDEFINED


def each(run: Run, value: Value, function: Value) -> Value:
    """$each: what the function makes of the members."""
    if value is UNDEFINED:
        return UNDEFINED
    found = Sequence()
    for key, member in value.items():
        result = call_with(run, function, member, key, value)
        if result is not UNDEFINED:
            found.append(plain(result))
    return found


def sort(run: Run, values: Value, after: Value) -> Value:
    """$sort: ``after($a, $b)`` says that $a comes after $b. D3070: without it, texts or numbers."""
    if values is UNDEFINED or len(values) <= 1:
        return values
    if after is not UNDEFINED:
        return merge_sort(run, values, lambda a, b: run.holds(call(run, after, [a, b])))
    texts = all(isinstance(one, str) for one in values)
    if not texts and not all(map(is_number, values)):
        raise failure("D3070")
    run.spend(len(values) * len(values).bit_length())
    return sorted(values, key=in_order if texts else None)


def merge_sort(run: Run, values: list[Json], after: Callable[[Json, Json], bool]) -> list[Json]:
    """A stable sort by a question that may fail or be answered without any system."""
    run.spend(len(values))
    if len(values) <= 1:
        return list(values)
    middle = len(values) // 2
    left = merge_sort(run, values[:middle], after)
    right = merge_sort(run, values[middle:], after)
    merged: list[Json] = []
    at, other = 0, 0
    while at < len(left) and other < len(right):
        if after(left[at], right[other]):
            merged.append(right[other])
            other += 1
        else:
            merged.append(left[at])
            at += 1
    return [*merged, *left[at:], *right[other:]]


def clone(run: Run, value: Value) -> Value:
    """$clone: a copy that shares nothing."""
    run.spend(1)
    if isinstance(value, dict):
        return {key: clone(run, member) for key, member in value.items()}
    if isinstance(value, list):
        return [clone(run, member) for member in value]
    return value


def error(_run: Run, message: Value) -> Value:
    """$error."""
    raise failure("D3137", "$error() function evaluated" if message is UNDEFINED else message)


def assertion(_run: Run, condition: Value, message: Value) -> Value:
    """$assert."""
    if condition is UNDEFINED or not condition:
        shown = "$assert() statement failed" if message is UNDEFINED else message
        raise failure("D3141", shown)
    return UNDEFINED

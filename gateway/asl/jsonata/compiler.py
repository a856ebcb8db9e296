"""The library's tree as closures: which node of it means what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from gateway.asl.errors import ExpressionError
from gateway.asl.jsonata.calls import compile_call, compile_chain, compile_partial
from gateway.asl.jsonata.functions import HOLE, Code, Lambda, Node
from gateway.asl.jsonata.operators import compile_operator, negate
from gateway.asl.jsonata.ordering import compile_grouping, compile_sort
from gateway.asl.jsonata.paths import (
    Path,
    Stage,
    Step,
    compile_filter,
    compile_index,
    compile_members,
    compile_name,
    compile_path,
    index_stage,
)
from gateway.asl.jsonata.run import Frame
from gateway.asl.jsonata.signature import Signature, text_of
from gateway.asl.jsonata.table import FUNCTIONS
from gateway.asl.jsonata.values import (
    UNDEFINED,
    Constructed,
    Sequence,
    Value,
    as_number,
    paired,
)
from gateway.asl.jsonata.wildcards import Transform, descendants, wildcard

STATES: Final = "states"
MOST_NESTED: Final = 200
"""Expressions inside expressions, as written."""

Tree: TypeAlias = Any
"""A node of the library's tree."""


class Compiler:
    """Compiles one tree."""

    def __init__(self) -> None:
        self.free: set[str] = set()
        """Variables that the expression takes from outside."""
        self.told: set[str] | None = set()
        """Members of ``$states`` that it reads; None: it may read any of them."""
        self.cost = 0
        """Nodes compiled so far."""
        self.height = 0
        """The most nodes inside nodes, within one function."""
        self._depth = 0
        self._bound: list[set[str]] = [set()]
        self._tail = False
        self._member_of: Tree = None
        self._kinds: dict[str, Callable[[Tree], Node]] = {
            "path": self._path,
            "name": self._name,
            "string": self._literal,
            "number": self._number,
            "value": self._literal,
            "regex": self._literal,
            "variable": self._variable,
            "parent": self._parent,
            "binary": self._binary,
            "unary": self._unary,
            "condition": self._condition,
            "block": self._block,
            "bind": self._bind,
            "lambda": self._lambda,
            "function": self._function,
            "partial": self._partial,
            "apply": self._apply,
            "transform": self._transform,
            "wildcard": lambda _tree: wildcard,
            "descendant": lambda _tree: descendants,
        }

    def compile(self, tree: Tree) -> Node:
        """The closure of a tree, with its predicates and its grouping."""
        self.cost += 1
        self._depth += 1
        self.height = max(self.height, self._depth)
        if self._depth > MOST_NESTED:
            raise ExpressionError("The expression is nested too deeply")
        tail = self._tail
        self._tail = tail and tree.type in _HAND_ON and not (tree.predicate or tree.group)
        node = self._kinds[tree.type](tree)
        self._tail = tail
        for stage in self._stages(tree.predicate):
            node = _then(node, stage)
        if tree.type != "path" and tree.group is not None:
            node = _then(node, self._grouping(tree.group))
        self._depth -= 1
        if tree.predicate or tree.type in _SEQUENCES:
            node = _unwrapped(node, keep=tree.keep_array)
        return node

    def members(self, tree: Tree) -> tuple[str, ...] | None:
        """The names of a path of nothing but names, maybe below a variable; None: another path."""
        if tree.type != "path" or tree.group or tree.tuple or tree.keep_singleton_array:
            return None
        if any(_is_more_than_its_type(step) for step in (tree, *tree.steps)):
            return None
        first, *rest = tree.steps
        if first.type not in {"variable", "name"} or any(step.type != "name" for step in rest):
            return None
        return tuple(str(step.value) for step in tree.steps if step.type == "name")

    def _costed(self, tree: Tree) -> tuple[Node, int]:
        before = self.cost
        node = self.compile(tree)
        return node, self.cost - before

    def _stages(self, stages: list[Tree] | None) -> list[Stage]:
        return [self._stage(each) for each in stages or ()]

    def _stage(self, stage: Tree) -> Stage:
        if stage.type == "index":
            self._bound[-1].add(stage.value)
            return index_stage(stage.value)
        if stage.expr.type == "number":
            return compile_index(stage.expr.value)
        return compile_filter(*self._costed(stage.expr))

    def _grouping(self, group: Tree) -> Stage:
        before = self.cost
        pairs = [(self.compile(key), self.compile(value)) for key, value in group.lhs_object]
        return compile_grouping(pairs, self.cost - before, group.position)

    def _path(self, tree: Tree) -> Node:
        if _is_member_of_states(tree):
            self._member_of = tree.steps[0]
            if self.told is not None:
                self.told.add(str(tree.steps[1].value))
        steps = tuple(self._step(step, first=step is tree.steps[0]) for step in tree.steps)
        names = self.members(tree)
        path = Path(
            steps=steps,
            absolute=tree.steps[0].type == "variable",
            keep=bool(tree.keep_singleton_array),
            keep_tuples=bool(tree.tuple),
            group=None if tree.group is None else self._grouping(tree.group),
        )
        node = _unwrapped(compile_path(path), keep=tree.keep_array)
        if names is None:
            return node
        first = steps[0].node if path.absolute else _context
        return compile_members(first, names, node)

    def _step(self, step: Tree, *, first: bool) -> Step:
        before = self.cost
        node = self._sort(step) if step.type == "sort" else self.compile(step)
        bound = [each for each in (step.focus, step.index) if each is not None]
        self._bound[-1].update(bound)
        return Step(
            node=node,
            cost=self.cost - before,
            stages=tuple(self._stages(step.stages)),
            constructed=bool(first and step.consarray),
            sorts=step.type == "sort",
            focus=step.focus,
            index=step.index,
            ancestor=None if step.ancestor is None else step.ancestor.label,
            tuples=bool(step.tuple),
        )

    def _sort(self, step: Tree) -> Node:
        before = self.cost
        terms = [(self.compile(term.expression), bool(term.descending)) for term in step.terms]
        return compile_sort(terms, self.cost - before, step.position)

    def _name(self, tree: Tree) -> Node:
        return compile_name(str(tree.value))

    def _literal(self, tree: Tree) -> Node:
        value = paired(tree.value)
        return lambda _value, _frame: value

    def _number(self, tree: Tree) -> Node:
        """A double, as all numbers are: so are the digits of one that is too large to be exact."""
        number = as_number(tree.value)
        return lambda _value, _frame: number

    def _variable(self, tree: Tree) -> Node:
        name = tree.value
        if name == STATES and tree is not self._member_of:
            self.told = None
        if name == "":
            return _context
        if name in FUNCTIONS:
            function = FUNCTIONS[name]

            def look_up(_value: Value, frame: Frame) -> Value:
                found = frame.lookup(name)
                return function if found is UNDEFINED else found

            return look_up
        if name != "$" and not any(name in names for names in self._bound):
            self.free.add(name)
        return lambda _value, frame: frame.lookup(name)

    def _parent(self, tree: Tree) -> Node:
        label = tree.slot.label
        return lambda _value, frame: frame.lookup(label)

    def _binary(self, tree: Tree) -> Node:
        left, right = self.compile(tree.lhs), self.compile(tree.rhs)
        return compile_operator(str(tree.value), left, right, tree.position)

    def _unary(self, tree: Tree) -> Node:
        if tree.value == "-":
            return negate(self.compile(tree.expression), tree.position)
        if tree.value == "{":
            return self._grouping(tree)
        parts = [
            (self.compile(each), each.type == "unary" and each.value == "[")
            for each in tree.expressions
        ]
        return _array(parts, Constructed if tree.consarray else list)

    def _condition(self, tree: Tree) -> Node:
        tail, self._tail = self._tail, False
        condition = self.compile(tree.condition)
        self._tail = tail
        then = self.compile(tree.then)
        other = _nothing if tree._else is None else self.compile(tree._else)  # noqa: SLF001
        return lambda value, frame: (
            then(value, frame) if frame.run.holds(condition(value, frame)) else other(value, frame)
        )

    def _block(self, tree: Tree) -> Node:
        self._bound.append(set())
        tail, nodes = self._tail, []
        for each in tree.expressions:
            self._tail = tail and each is tree.expressions[-1]
            nodes.append(self.compile(each))
        self._bound.pop()

        def evaluate(value: Value, frame: Frame) -> Value:
            inner, result = frame.inner({}), UNDEFINED
            for node in nodes:
                result = node(value, inner)
            return result

        return evaluate

    def _bind(self, tree: Tree) -> Node:
        name = str(tree.lhs.value)
        # A function may call itself by the name that it is about to get.
        if tree.rhs.type == "lambda":
            self._bound[-1].add(name)
        right = self.compile(tree.rhs)
        self._bound[-1].add(name)

        def evaluate(value: Value, frame: Frame) -> Value:
            frame.names[name] = bound = right(value, frame)
            return bound

        return evaluate

    def _lambda(self, tree: Tree) -> Node:
        if tree.thunk:
            return self._function(tree.body) if self._tail else self.compile(tree.body)
        outside = self._depth, self.height, self.cost, self._tail
        self._depth = self.height = 0
        self._tail = True
        parameters = tuple(str(each.value) for each in tree.arguments)
        self._bound.append(set(parameters))
        body = self.compile(tree.body)
        self._bound.pop()
        signature = None if tree.signature is None else Signature(text_of(tree.signature))
        code = Code(parameters, body, signature, self.cost - outside[2], self.height)
        self._depth, self.height, _, self._tail = outside
        return lambda value, frame: Lambda(code, value, frame)

    def _function(self, tree: Tree, *first: Node) -> Node:
        tail, self._tail = self._tail, False
        procedure = self.compile(tree.procedure)
        arguments = [*first, *map(self.compile, tree.arguments)]
        self._tail = tail
        return compile_call(procedure, arguments, tree.position, _written(tree), tail=tail)

    def _partial(self, tree: Tree) -> Node:
        procedure = self.compile(tree.procedure)
        arguments = [
            _hole if each.type == "operator" else self.compile(each) for each in tree.arguments
        ]
        return compile_partial(procedure, arguments, tree.position, _written(tree))

    def _apply(self, tree: Tree) -> Node:
        left = self.compile(tree.lhs)
        if tree.rhs.type == "function":
            return self._function(tree.rhs, left)
        return compile_chain(left, self.compile(tree.rhs), tree.position)

    def _transform(self, tree: Tree) -> Node:
        before = self.cost
        pattern, update = self.compile(tree.pattern), self.compile(tree.update)
        delete = None if tree.delete is None else self.compile(tree.delete)
        return Transform(pattern, update, delete, self.cost - before).within


_HAND_ON: Final = frozenset({"block", "condition", "lambda"})
"""Kinds whose value is that of their last part: a call there is made by the caller."""
_SEQUENCES: Final = frozenset(
    {"name", "wildcard", "descendant", "variable", "parent", "function", "apply"}
)
"""Kinds that may give a sequence; a path unwraps its own, the others hand on what is none."""


def _context(value: Value, _frame: Frame) -> Value:
    return value


def _nothing(_value: Value, _frame: Frame) -> Value:
    return UNDEFINED


def _hole(_value: Value, _frame: Frame) -> Value:
    return HOLE


def _then(node: Node, stage: Stage) -> Node:
    return lambda value, frame: stage(node(value, frame), frame)


def _unwrapped(node: Node, *, keep: bool) -> Node:
    """Of a sequence of one its value, of an empty one nothing."""

    def evaluate(value: Value, frame: Frame) -> Value:
        found = node(value, frame)
        if found.__class__ is Sequence and not found.tuples:
            if keep:
                found.keep = True
            if not found:
                return UNDEFINED
            if len(found) == 1 and not found.keep:
                return found[0]
        return found

    return evaluate


def _array(parts: list[tuple[Node, bool]], make: type[list[Any]]) -> Node:
    """``[...]``: lists among the parts are flattened into it, unless they are in brackets."""

    def evaluate(value: Value, frame: Frame) -> Value:
        made = make()
        for node, bracketed in parts:
            part = node(value, frame)
            if isinstance(part, list) and not bracketed:
                frame.run.spend(len(part))
                made.extend(part)
            elif part is not UNDEFINED:
                made.append(list(part) if bracketed else part)
        return made

    return evaluate


def _is_member_of_states(path: Tree) -> bool:
    """``$states.name``, whatever follows."""
    first, *rest = path.steps
    return (
        first.type == "variable"
        and first.value == STATES
        and not _is_more_than_its_type(first)
        and bool(rest)
        and rest[0].type == "name"
        and not rest[0].tuple
    )


def _is_more_than_its_type(step: Tree) -> bool:
    return bool(
        step.predicate
        or step.stages
        or step.keep_array
        or step.focus
        or step.index
        or step.ancestor
        or step.tuple
        or step.group
    )


def _written(tree: Tree) -> str | None:
    """What stands where a function should, if that is a name alone."""
    procedure = tree.procedure
    return str(procedure.steps[0].value) if procedure.type == "path" else None

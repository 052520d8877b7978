"""Effects of a statement by its syntax: the names that it reads, binds and changes in place."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .names import COMPREHENSIONS, loads, now, root, stored

# Methods that change their object. Other methods are assumed to be pure: a false alarm at every plot would be worse
# than a missed change.
CHANGING = frozenset(
    {"append", "extend", "insert", "remove", "pop", "popitem", "clear", "update", "setdefault", "sort", "reverse"}
    | {"add", "discard", "appendleft", "extendleft", "popleft", "load_state_dict", "partial_fit", "add_module"}
    | {"set_params", "register_buffer", "register_forward_hook", "requires_grad_", "fill", "itemset", "put", "resize"}
)
FITTING = frozenset({"fit", "fit_transform", "fit_predict", "fit_resample"})
# Methods that also change the objects behind theirs: an optimizer's step, a trainer's training.
DRIVING = frozenset({"step", "fit", "train", "learn", "run_epoch", "fit_one_cycle", "fine_tune"})
# Names of functions without available source that change their arguments.
_TRAINING = ("train", "fit", "finetune", "fine_tune", "update")


class Call(NamedTuple):
    """A call of ``function``: plain names among its arguments by position and keyword, and all names in them."""

    function: str
    by_position: tuple[str | None, ...]
    by_name: dict[str, str]
    names: frozenset[str]

    def plain(self) -> set[str]:
        """Return the names that are whole arguments."""
        return {*filter(None, self.by_position), *self.by_name.values()}


@dataclass
class Effects:
    """Names by the kind of effect.

    Attributes
    ----------
    reads
        Names whose value from before the statement is used.
    binds, may_bind
        Names bound to a new value if nothing raises; names that may keep their value (``if``, ``match``, ``try``); a
        name may be in both.
    imports
        Names bound by an import, which always gives the same value.
    changes, drives, fits
        Names changed in place; ``drives``: with the objects behind them; ``fits``: likewise, unless it is an estimator.
    methods
        Pairs of name and called method.
    calls
        Calls by a plain name, or by a driven name and a dot.
    guessed
        Calls that probably train their arguments: as a statement of their own, and with a training function's name.
    """

    reads: set[str] = field(default_factory=set)
    binds: set[str] = field(default_factory=set)
    may_bind: set[str] = field(default_factory=set)
    imports: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    drives: set[str] = field(default_factory=set)
    fits: set[str] = field(default_factory=set)
    methods: set[tuple[str, str]] = field(default_factory=set)
    calls: list[Call] = field(default_factory=list)
    guessed: list[Call] = field(default_factory=list)

    @property
    def touched(self) -> set[str]:
        """Names that may have another value, or another state of it, afterwards."""
        return (self.binds | self.may_bind | self.changes) - self.imports


def effects_of(statements: Iterable[ast.stmt]) -> Effects:
    """Return the effects of statements in sequence."""
    effects = Effects()
    for statement in statements:
        _Reader(effects).statement(statement)
    return effects


class _Reader:
    """Reads statements in order; a name bound by one is not read from outside by the next."""

    def __init__(self, found: Effects) -> None:
        self._found = found

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.For() | ast.AsyncFor():
                self._expression(node.iter)
                self._target(node.target)
                self._block([*node.body, *node.orelse])
            case ast.While():
                self._expression(node.test)
                self._block([*node.body, *node.orelse])
            case ast.If():
                self._expression(node.test)
                self._branches([node.body, node.orelse])
            case ast.Match():
                self._match(node)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    self._expression(item.context_expr)
                    self._target(item.optional_vars)
                self._block(node.body)
            case ast.Try() | ast.TryStar():
                self._try(node)
            case _:
                self._simple(node)

    def _simple(self, node: ast.stmt) -> None:
        self._expression(node)
        call = node.value if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) else None
        function = call.func.id if call and isinstance(call.func, ast.Name) else ""
        if call and function.lower().startswith(_TRAINING):
            self._found.guessed.append(_called(function, call))
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            self._read([node.target.id])
        if isinstance(node, ast.Import | ast.ImportFrom):
            self._found.imports |= set(stored(node))
        self._bind(stored(node))

    def _expression(self, node: ast.AST) -> None:
        """Register the names that an expression reads and calls, and the objects of which it sets a part."""
        self._read(loads(node))
        nodes = list(now(node))
        inner = {
            name
            for comprehension in nodes
            if isinstance(comprehension, COMPREHENSIONS)
            for generator in comprehension.generators
            for name in stored(generator.target)
        }
        for child in nodes:
            if isinstance(child, ast.Call):
                self._call(child, inner)
            elif isinstance(child, ast.Subscript | ast.Attribute) and isinstance(child.ctx, ast.Store | ast.Del):
                self._changed(root(child))

    def _target(self, node: ast.expr | None) -> None:
        if node is not None:
            self._expression(node)
            self._bind(stored(node))

    def _call(self, node: ast.Call, inner: set[str]) -> None:
        if isinstance(node.func, ast.Name):
            self._found.calls.append(_called(node.func.id, node))
        name = root(node.func.value) if isinstance(node.func, ast.Attribute) else None
        if name is None or name in inner or not isinstance(node.func, ast.Attribute):
            return
        method = node.func.attr
        self._found.methods.add((name, method))
        in_place = any(k.arg == "inplace" and getattr(k.value, "value", True) is not False for k in node.keywords)
        if method in CHANGING | FITTING or in_place:
            self._changed(name)
        if method in DRIVING:
            (self._found.fits if method == "fit" else self._found.drives).add(name)
            if method != "step":
                self._found.calls.append(_called(f"{name}.", node))

    def _changed(self, name: str | None) -> None:
        if name is not None and name not in self._found.binds:
            self._found.changes.add(name)

    def _read(self, names: Iterable[str]) -> None:
        self._found.reads |= set(names) - self._found.binds

    def _bind(self, names: Iterable[str]) -> None:
        self._found.binds |= set(names)

    def _branches(self, blocks: Sequence[Iterable[ast.stmt]]) -> None:
        before, ends = self._found.binds, []
        for block in blocks:
            self._found.binds = set(before)
            self._block(block)
            ends.append(self._found.binds)
        self._found.binds = set.intersection(*ends)
        self._found.may_bind |= set.union(*ends) - self._found.binds

    def _match(self, node: ast.Match) -> None:
        self._expression(node.subject)
        names = {name for case in node.cases for name in stored(case.pattern)}
        self._bind(names)
        for part in (part for case in node.cases for part in (case.pattern, case.guard) if part is not None):
            self._expression(part)
        self._branches([*(case.body for case in node.cases), ()])
        self._found.may_bind |= names

    def _try(self, node: ast.Try | ast.TryStar) -> None:
        before = set(self._found.binds)
        self._block([*node.body, *node.orelse])
        for handler in node.handlers:
            if handler.type is not None:
                self._expression(handler.type)
            self._bind([handler.name] if handler.name else ())
            self._block(handler.body)
        self._found.may_bind |= self._found.binds - before
        self._block(node.finalbody)

    def _block(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            self.statement(statement)


def _called(function: str, node: ast.Call) -> Call:
    return Call(
        function,
        tuple(argument.id if isinstance(argument, ast.Name) else None for argument in node.args),
        {k.arg: k.value.id for k in node.keywords if k.arg and isinstance(k.value, ast.Name)},
        frozenset(name for argument in (*node.args, *(k.value for k in node.keywords)) for name in loads(argument)),
    )

"""What one statement of a notebook reads, binds and changes in place, as far as its syntax tells."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

# Methods that change their object. What is not named here is taken to only look: a false alarm at each plot would be
# worse than a change that is not seen.
CHANGING = frozenset(
    {
        "append",
        "extend",
        "insert",
        "remove",
        "pop",
        "popitem",
        "clear",
        "update",
        "setdefault",
        "sort",
        "reverse",
        "add",
    }
    | {"discard", "appendleft", "extendleft", "popleft", "load_state_dict", "partial_fit", "add_module", "set_params"}
    | {"register_buffer", "register_forward_hook", "requires_grad_", "fill", "itemset", "put", "resize"}
)
FITTING = frozenset({"fit", "fit_transform", "fit_predict", "fit_resample"})
# Methods that change what their object was made of too: an optimizer's step, a trainer's training.
DRIVING = frozenset({"step", "fit", "train", "learn", "run_epoch", "fit_one_cycle", "fine_tune"})
# Functions of which the source is not here, whose name says that they change what they are given.
_TRAINING = ("train", "fit", "finetune", "fine_tune", "update")

Bound = frozenset[str]
Call = tuple[str, list[str | None], dict[str, str]]
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass
class Effects:
    """Names by what is done to them.

    Attributes
    ----------
    reads
        Whose value from before the statement matters.
    binds, may_bind
        Given a new value, always or perhaps (within an ``if``).
    changes, drives, fits
        Changed in place; ``drives``: with all that they were made of; ``fits``: too, unless it is an estimator.
    calls
        Called by a plain name, or by a driven name and a dot, with the plain names among the arguments by position and
        keyword.
    guessed
        Those of them that seem to train what they are given: called for nothing but that, and named so.
    """

    reads: set[str] = field(default_factory=set)
    binds: set[str] = field(default_factory=set)
    may_bind: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    drives: set[str] = field(default_factory=set)
    fits: set[str] = field(default_factory=set)
    calls: list[Call] = field(default_factory=list)
    guessed: list[Call] = field(default_factory=list)


def effects_of(statements: Iterable[ast.stmt]) -> Effects:
    """Of statements, one after the other."""
    found = Effects()
    for statement in statements:
        _Reader(found).statement(statement)
    return found


def loads(node: ast.AST, bound: Bound = frozenset()) -> Iterator[str]:
    """Names that are read, without those that inner functions and comprehensions bind themselves."""
    if isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Load) and node.id not in bound:
            yield node.id
        return
    if isinstance(node, _SCOPES):
        for default in (*node.args.defaults, *(d for d in node.args.kw_defaults if d), *decorators(node)):
            yield from loads(default, bound)
        yield from inner_loads(node, bound)
        return
    if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        bound |= {name for generator in node.generators for name in stored(generator.target)}
    for child in ast.iter_child_nodes(node):
        yield from loads(child, bound)


def inner_loads(node: ast.AST, bound: Bound = frozenset()) -> Iterator[str]:
    """Names that a function's or a class's body reads from outside, when it is called."""
    body = node.body if isinstance(node, (*_SCOPES, ast.ClassDef)) else [node]
    inner = body if isinstance(body, list) else [body]
    if isinstance(node, _SCOPES):
        own = {name for child in inner for name in stored(child)}
        shared = {n for child in inner for s in ast.walk(child) if isinstance(s, ast.Global) for n in s.names}
        bound |= parameters(node) | (own - shared)
    for child in inner:
        yield from loads(child, bound)


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    """The names of a function's parameters."""
    given = node.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    return {argument.arg for argument in named}


def decorators(node: ast.AST) -> Sequence[ast.expr]:
    """A function's or a class's decorators."""
    return node.decorator_list if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else ()


def stored(node: ast.AST) -> Iterator[str]:
    """Names that are bound by this node, without those of inner functions."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
        yield node.id
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
    elif not isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        for child in ast.iter_child_nodes(node):
            yield from stored(child)


def root(node: ast.AST) -> str | None:
    """The name in front of ``name.a[0].b``."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


class _Reader:
    """Reads statements in their order; what is bound by one is not read from before by the next."""

    def __init__(self, found: Effects) -> None:
        self._found = found

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.For() | ast.AsyncFor():
                self._loop(node)
            case ast.While():
                self._expression(node.test)
                self._block([*node.body, *node.orelse])
            case ast.If():
                self._if(node)
            case ast.With() | ast.AsyncWith():
                self._with(node)
            case ast.Try():
                handlers = [statement for handler in node.handlers for statement in handler.body]
                self._block([*node.body, *handlers, *node.orelse, *node.finalbody])
            case _:
                self._simple(node)

    def _simple(self, node: ast.stmt) -> None:
        self._expression(node)
        call = node.value if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) else None
        function = call.func.id if call and isinstance(call.func, ast.Name) else ""
        if call and function.lower().startswith(_TRAINING):
            self._found.guessed.append((function, *_names_given(call)))
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            self._read([node.target.id])
        for target in _targets(node):
            name = root(target)
            if name is not None and not isinstance(target, ast.Name):
                self._changed(name)
        self._bind(stored(node))

    def _expression(self, node: ast.AST) -> None:
        self._read(loads(node))
        for child in _walk_now(node):
            if isinstance(child, ast.Call):
                self._call(child)

    def _call(self, node: ast.Call) -> None:
        by_position, by_name = _names_given(node)
        if isinstance(node.func, ast.Name):
            self._found.calls.append((node.func.id, by_position, by_name))
        name = root(node.func.value) if isinstance(node.func, ast.Attribute) else None
        if name is not None and isinstance(node.func, ast.Attribute):
            method = node.func.attr
            in_place = any(k.arg == "inplace" and getattr(k.value, "value", False) is True for k in node.keywords)
            if method in CHANGING | FITTING or in_place:
                self._changed(name)
            if method in DRIVING:
                (self._found.fits if method == "fit" else self._found.drives).add(name)
                if method != "step":
                    self._found.calls.append((f"{name}.", by_position, by_name))

    def _changed(self, name: str) -> None:
        if name not in self._found.binds:
            self._found.changes.add(name)

    def _read(self, names: Iterable[str]) -> None:
        self._found.reads |= set(names) - self._found.binds

    def _bind(self, names: Iterable[str]) -> None:
        self._found.binds |= set(names)

    def _loop(self, node: ast.For | ast.AsyncFor) -> None:
        self._expression(node.iter)
        self._bind(stored(node.target))
        self._block([*node.body, *node.orelse])

    def _if(self, node: ast.If) -> None:
        self._expression(node.test)
        before = set(self._found.binds)
        self._block(node.body)
        first, self._found.binds = self._found.binds, set(before)
        self._block(node.orelse)
        both = first & self._found.binds
        self._found.may_bind |= (first | self._found.binds) - both
        self._found.binds = both

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self._expression(item.context_expr)
            if item.optional_vars is not None:
                self._bind(stored(item.optional_vars))
        self._block(node.body)

    def _block(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            self.statement(statement)


def _names_given(node: ast.Call) -> tuple[list[str | None], dict[str, str]]:
    by_position = [argument.id if isinstance(argument, ast.Name) else None for argument in node.args]
    return by_position, {k.arg: k.value.id for k in node.keywords if k.arg and isinstance(k.value, ast.Name)}


def _targets(node: ast.stmt) -> Iterator[ast.expr]:
    written: list[ast.expr] = []
    if isinstance(node, ast.Assign | ast.Delete):
        written = list(node.targets)
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        written = [node.target]
    for target in written:
        yield from target.elts if isinstance(target, ast.Tuple | ast.List) else (target,)


def _walk_now(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when the statement does: not the bodies of functions that it defines."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _walk_now(child)

"""Lineage of variables by value numbering: equal statements on equal values make equal values.

Each value is numbered by its statement and the values that this one read (value numbering: Alpern, Wegman and Zadeck,
"Detecting equality of variables in programs", POPL 1988). A repeated statement on the same values makes the same value;
independent statements may run in any order.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jupyter_deploy.capture.frameworks import framework_of
from jupyter_deploy.capture.static_attributes import dodges
from jupyter_deploy.notebooks.syntax.effects import Call, Effects, effects_of
from jupyter_deploy.notebooks.syntax.idempotent import is_idempotent
from jupyter_deploy.notebooks.syntax.names import (
    DEFINITIONS,
    as_lambda,
    evaluated,
    inner_loads,
    loads,
    parameters,
    root,
)
from jupyter_deploy.notebooks.syntax.statements import Statement


@dataclass(frozen=True, eq=False)
class Value:
    """The value of a statement (None: from outside) made from the values that it read, by name."""

    number: str
    statement: Statement | None
    made_of: tuple[tuple[str, Value], ...] = ()


def values_behind(value: Value) -> dict[str, Value]:
    """Return a value and all values behind it by number, the inputs first."""
    values: dict[str, Value] = {}
    waiting = [(value, False)]  # a loop, since a cell that runs a thousand times makes a chain of a thousand values
    while waiting:
        current, is_complete = waiting.pop()
        if is_complete:
            values[current.number] = current
        elif current.number not in values:
            waiting += [(current, True), *((part, False) for _, part in reversed(current.made_of))]
    return values


@dataclass
class _Variable:
    """A name's value at its last binding or change.

    ``unfitted``: the value before its fits; ``parts``: elements set since; ``steps``: idempotent statements that ran on
    it; ``sources``: the variables that it was made from.
    """

    value: Value
    unfitted: Value | None = None
    parts: dict[str, Value] = field(default_factory=dict)
    definition: ast.stmt | None = None
    steps: frozenset[str] = frozenset()
    is_import: bool = False
    sources: frozenset[str] = frozenset()


class Program:
    """Executed statements in sequence.

    Parameters
    ----------
    statements
        In order of execution.
    namespace
        The notebook's current variables, read only to decide whether a fit restarts the training: an estimator's does,
        unless ``warm_start``.
    """

    def __init__(self, statements: Iterable[Statement], namespace: Mapping[str, Any]) -> None:
        self._namespace = namespace
        self._variables: dict[str, _Variable] = {}
        self._bodies: dict[ast.stmt, set[str]] = {}
        for statement in statements:
            self._run(statement)

    def value_of(self, expression: str) -> Value:
        """Return the current value of an expression."""
        read = dict.fromkeys(loads(ast.parse(expression, mode="eval")))
        return _made(None, [(name, self._value(name)) for name in read], expression)

    def _run(self, statement: Statement) -> None:
        tree = statement.tree
        if isinstance(tree, ast.Import | ast.ImportFrom):
            for alias in tree.names:
                module = f"{'.' * getattr(tree, 'level', 0)}{getattr(tree, 'module', '') or ''}"
                name = (alias.asname or alias.name).partition(".")[0]
                value = Value(f"import {module} {alias.name}", statement)
                self._variables[name] = _Variable(value, is_import=True)
            return
        if isinstance(tree, DEFINITIONS):
            read = sorted({name for node in evaluated(tree) for name in loads(node)})
            value = _made(statement, [(name, self._value(name)) for name in read])
            self._variables[tree.name] = _Variable(value, definition=tree)
            return
        if not (self._set_part(statement) or self._same_again(statement)):
            self._general(statement)

    def _general(self, statement: Statement) -> None:
        effects = statement.effects
        touched, refitted = self._changed(effects)
        changed = {name for name in touched if not self._is_import(name)}
        fitted = (self._fitted(statement.tree) | refitted) & changed
        read = sorted(effects.reads | ((effects.may_bind | changed) - effects.binds))
        before = {name: self._value(name, unfitted=name in fitted) for name in read}
        value = _made(statement, sorted(before.items()))
        sources = frozenset(name for name in effects.reads if not self._is_import(name))
        for name in changed - effects.binds:
            old = self._variables.get(name)
            unfitted = before.get(name) if name in fitted else None
            self._variables[name] = _Variable(value, unfitted=unfitted, sources=old.sources if old else frozenset())
        for name in effects.binds | effects.may_bind:
            self._variables[name] = _Variable(value, sources=sources - {name}, definition=as_lambda(statement.tree))

    def _changed(self, effects: Effects) -> tuple[set[str], set[str]]:
        """Return the changed names, with the sources of advanced iterators, and the estimators that calls fit."""
        driven = effects.drives | {name for name in effects.fits if not self._begins_anew(name)}
        driven = {name for name in driven if not self._is_import(name) and not self._switches_mode(name)}
        changed, refitted = set(effects.changes), set[str]()
        known: dict[Any, Effects] = {}
        for call in effects.calls:
            if call.function.removesuffix(".") in driven and call.function.endswith("."):
                changed |= call.plain() & set(self._variables)
            else:
                inner = self._changed_by(call, known)
                anew = {name for name in inner.fits if self._begins_anew(name)}
                changed |= inner.changes | inner.fits
                driven, refitted = driven | inner.drives | (inner.fits - anew), refitted | anew
        for call in effects.guessed:
            variable = self._variables.get(call.function)
            if variable is None or variable.definition is None:
                changed |= call.plain() & set(self._variables)
        for name in driven:
            changed |= {name, *self._sources(name)}
        for name in list(changed):
            variable = self._variables.get(name)
            if variable is not None and variable.value.statement is not None:
                changed |= _other_names(variable.value.statement.tree, name)
        return changed, refitted - driven

    def _changed_by(self, call: Call, known: dict[Any, Effects]) -> Effects:
        """Return the effects of a notebook's function on its arguments and on the notebook's variables.

        ``known`` holds the results within one statement; a recursive call has no effects at first.
        """
        variable = self._variables.get(call.function)
        tree = variable.definition if variable else None
        if not isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef):
            return Effects()
        key = (call.function, call.by_position, tuple(sorted(call.by_name.items())))
        if key in known:
            return known[key]
        known[key] = Effects()
        named = [argument.arg for argument in (*tree.args.posonlyargs, *tree.args.args)]
        arguments = {parameter: name for parameter, name in zip(named, call.by_position, strict=False) if name}
        arguments |= call.by_name
        own_names = parameters(tree)
        body_effects = effects_of(tree.body)
        total = Effects(
            changes=body_effects.changes - body_effects.fits,
            drives=set(body_effects.drives),
            fits=set(body_effects.fits),
        )
        for inner in body_effects.calls:
            if not inner.function.endswith("."):
                more = self._changed_by(inner, known)
                total.changes |= more.changes
                total.drives |= more.drives
                total.fits |= more.fits

        def outside(names: set[str]) -> set[str]:
            return {arguments.get(name, "") if name in own_names else name for name in names} & set(self._variables)

        known[key] = Effects(changes=outside(total.changes), drives=outside(total.drives), fits=outside(total.fits))
        return known[key]

    def _sources(self, name: str) -> set[str]:
        """Return the object-holding variables that a variable was made from."""
        variable = self._variables.get(name)
        return {source for source in (variable.sources if variable else ()) if source in self._variables}

    def _fitted(self, tree: ast.stmt) -> set[str]:
        """Return the estimators whose fit by a plain statement restarts the training."""
        if not isinstance(tree, ast.Expr | ast.Assign | ast.AnnAssign) or tree.value is None:
            return set()
        calls = [node for node in ast.walk(tree.value) if isinstance(node, ast.Call)]
        names = {
            call.func.value.id
            for call in calls
            if isinstance(call.func, ast.Attribute)
            and call.func.attr.startswith("fit")
            and isinstance(call.func.value, ast.Name)
        }
        return {name for name in names if self._begins_anew(name)}

    def _begins_anew(self, name: str) -> bool:
        if name not in self._namespace:
            return True
        estimator = self._namespace[name]
        parameters_of = getattr(type(estimator), "get_params", None)
        return parameters_of is not None and getattr(estimator, "warm_start", False) is not True

    def _switches_mode(self, name: str) -> bool:
        """Whether ``train()`` of the variable only switches a mode."""
        value = self._namespace.get(name)
        return not dodges(type(value)) and not framework_of(value).train_fits

    def _set_part(self, statement: Statement) -> bool:
        """Set one part of a variable (``table["a"] = …``), independent of the number of runs."""
        tree = statement.tree
        if not isinstance(tree, ast.Assign) or len(tree.targets) != 1:
            return False
        target = tree.targets[0]
        if not (isinstance(target, ast.Subscript | ast.Attribute) and isinstance(target.value, ast.Name)):
            return False
        name, key = target.value.id, ast.unparse(target)
        if isinstance(target, ast.Subscript) and not isinstance(target.slice, ast.Constant):
            return False
        if (
            name not in self._variables
            or self._is_import(name)
            or any(self._changed(effects_of([ast.Expr(tree.value)])))
        ):
            return False
        variable = self._variables[name]
        before = self._part(name, key)
        if before.statement is not None and before.statement.text == statement.text and is_idempotent(tree.value, key):
            return True
        parts = _parts_read(tree.value, name)
        whole = name in _loads_but(tree.value, name, parts)
        read = [(part, self._part(name, part)) for part in sorted(parts)]
        read += [
            (other, self._value(other)) for other in sorted(set(loads(tree.value)) - ({name} if not whole else set()))
        ]
        variable.parts[key] = _made(statement, read)
        if not is_idempotent(tree.value, key):
            variable.steps = frozenset()  # a filter would keep different rows now
        return True

    def _same_again(self, statement: Statement) -> bool:
        """Recognise a repeated idempotent statement such as ``table = table.dropna()``."""
        tree = statement.tree
        if not isinstance(tree, ast.Assign) or len(tree.targets) != 1 or not isinstance(tree.targets[0], ast.Name):
            return False
        name = tree.targets[0].id
        variable = self._variables.get(name)
        others = {other for other in loads(tree.value) if not self._is_import(other)} - {name}
        if variable is None or others or not is_idempotent(tree.value, name):
            return False
        if statement.text not in variable.steps:
            value = _made(statement, [(name, self._value(name))])
            self._variables[name] = _Variable(value, steps=variable.steps | {statement.text}, sources=variable.sources)
        return True

    def _part(self, name: str, key: str) -> Value:
        variable = self._variables[name]
        return variable.parts.get(key) or _made(None, [(name, variable.value)], key)

    def _value(self, name: str, *, unfitted: bool = False) -> Value:
        variable = self._variables.get(name)
        if variable is None:
            return Value(f"outside {name}", None)
        value = variable.unfitted if unfitted and variable.unfitted is not None else variable.value
        if variable.definition is not None:  # a function's globals are looked up when it runs
            late = [
                (n, self._variables[n].value if self._variables[n].definition else self._value(n))
                for n in sorted(self._reached(name, variable.definition) - {name})
            ]
            return _made(value.statement, [*value.made_of, *late])
        if variable.parts:
            return _made(None, [("", value), *sorted(variable.parts.items())], "parts")
        return value

    def _reached(self, name: str, definition: ast.stmt) -> set[str]:
        """Return the variables that a function's body reads, also by way of the functions that it names."""
        names, waiting = {name}, [definition]
        while waiting:
            tree = waiting.pop()
            if tree not in self._bodies:
                self._bodies[tree] = set(inner_loads(tree))
            for inner in (self._bodies[tree] & self._variables.keys()) - names:
                names.add(inner)
                if (further := self._variables[inner].definition) is not None:
                    waiting.append(further)
        return names

    def _is_import(self, name: str) -> bool:
        variable = self._variables.get(name)
        return variable is not None and (variable.is_import or isinstance(variable.definition, DEFINITIONS))


def _made(statement: Statement | None, made_of: Iterable[tuple[str, Value]], what: str = "") -> Value:
    parts = tuple(made_of)
    digest = hashlib.sha256(repr([statement.text if statement else what, [(n, v.number) for n, v in parts]]).encode())
    return Value(digest.hexdigest(), statement, parts)


def _other_names(tree: ast.stmt, name: str) -> set[str]:
    """Return the other names of a changed object: ``a`` of ``b = a``."""
    plain = isinstance(tree, ast.Assign) and isinstance(tree.value, ast.Name) and root(tree.targets[0]) == name
    return {tree.value.id} if plain and isinstance(tree, ast.Assign) and isinstance(tree.value, ast.Name) else set()


def _parts_read(value: ast.expr, name: str) -> set[str]:
    subscripts = (n for n in ast.walk(value) if isinstance(n, ast.Subscript) and isinstance(n.slice, ast.Constant))
    return {ast.unparse(node) for node in subscripts if isinstance(node.value, ast.Name) and node.value.id == name}


def _loads_but(value: ast.expr, name: str, parts: set[str]) -> Iterator[str]:
    """Yield reads of the whole variable, outside the given parts."""
    if isinstance(value, ast.Subscript) and ast.unparse(value) in parts:
        return
    if isinstance(value, ast.Name) and value.id == name:
        yield name
    for child in ast.iter_child_nodes(value):
        if isinstance(child, ast.expr):
            yield from _loads_but(child, name, parts)
        else:
            yield from (n for n in loads(child) if n == name)

"""The difference of two snapshots: a pure function of their manifests, with a summary in words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.evidence.agreement import Rule
from jupyter_deploy.domain.secret_names import HIDDEN, hide_secrets, is_confidential

from .artifacts import CODE, Manifest, Snapshot
from .schema import without_seen
from .signature import Schema, types_of
from .source_changes import Cell, Kind, SourceChange, cell_changes, file_changes

Cells = tuple[Sequence[Cell], Sequence[Cell]]
Sources = tuple[Mapping[str, str], Mapping[str, str]]


class Change(Value):
    """A named item that was added, removed or changed; an absent value is null."""

    name: str
    kind: Kind
    before: Any = None
    after: Any = None


class AnswerChange(Value):
    """An instance to which the two models give different answers."""

    instance: Any
    before: Any
    after: Any


class Answers(Value):
    """The answers to the same instances.

    ``basis`` describes the instances; ``problem`` says why no comparison is possible.
    """

    basis: str = ""
    compared: int = 0
    differ: int = 0
    largest: float | None = Field(default=None, description="The largest absolute difference of two numbers.")
    changes: tuple[AnswerChange, ...] = ()
    problem: str = ""


class Difference(Value):
    """The changes from snapshot ``a`` to snapshot ``b`` by subject; an unchanged subject is empty."""

    a: str
    b: str
    words: tuple[str, ...] = Field(description="A summary of all changes.")
    model: tuple[Change, ...] = Field(description="Class, method, notebook, commit.")
    features: tuple[Change, ...] = Field(description="Columns by name: added, removed, or with a different type.")
    hyperparameters: tuple[Change, ...]
    training: tuple[Change, ...] = Field(description="The training data's size, ranges, hash and files.")
    metrics: tuple[Change, ...] = Field(description="The notebook's own metrics.")
    dependencies: tuple[Change, ...] = Field(description="Python and distributions, by exact version.")
    signature: tuple[Change, ...] = Field(description="Differences of the JSON Schemas of instances and answers.")
    breaks: tuple[str, ...] = Field(description="Reasons why b (the candidate) cannot replace a (stable).")
    cells: tuple[SourceChange, ...] = Field(description="The executed cells behind the model.")
    code: tuple[SourceChange, ...] = Field(description="The project's own modules.")
    answers: Answers


def difference(
    a: Snapshot,
    b: Snapshot,
    *,
    cells: Cells = ((), ()),
    sources: Sources = ({}, {}),
    answers: Answers | None = None,
) -> Difference:
    """Compare snapshot ``a`` with snapshot ``b``.

    Parameters
    ----------
    cells
        The executed cells behind the two models.
    sources
        The texts of both snapshots' files below ``code/`` by their manifest names; a file without a text is reported as
        changed, without its lines.
    answers
        Default: the manifests' answers to the instances that both examples hold.
    """
    old, new = a.manifest, b.manifest
    changes = Difference(
        a=a.tag,
        b=b.tag,
        words=(),
        model=_changes(_model(old), _model(new)),
        features=_features(old, new),
        hyperparameters=_changes(old.hyperparameters, new.hyperparameters),
        training=_changes(_training(old), _training(new)),
        metrics=_changes(old.metrics, new.metrics),
        dependencies=_changes(_dependencies(old), _dependencies(new)),
        signature=tuple(_signature(old, new)),
        breaks=tuple(old.signature.mismatches(new.signature)),
        cells=cell_changes(*cells),
        code=_code(a, b, sources),
        answers=common_answers(old, new) if answers is None else answers,
    )
    words = tuple(_words(changes)) or tuple(_minor_changes(changes, old, new))
    return changes.model_copy(update={"words": words})


def common_answers(a: Manifest, b: Manifest) -> Answers:
    """Compare the manifests' answers to the instances that both examples hold."""
    a_answers = {_key(instance): answer for instance, answer in zip(a.instances, a.predictions, strict=False)}
    common = [
        (instance, a_answers[key], answer)
        for instance, answer in zip(b.instances, b.predictions, strict=False)
        if (key := _key(instance)) in a_answers
    ]
    if not common:
        return Answers(problem="their examples have no instance in common")
    return compare_answers(common, a, basis="the instances that both examples hold")


def compare_answers(triples: Iterable[tuple[Any, Any, Any]], a: Manifest, *, basis: str) -> Answers:
    """Compare (instance, answer of a, answer of b); numbers agree as in ``nbdeploy compare``."""
    rule = Rule.of(a.signature.answer_dtype, None, None)
    rows = [(instance, before, after, rule.compare(before, after)) for instance, before, after in triples]
    gaps = [match.gap for *_, match in rows if match.gap is not None]
    return Answers(
        basis=basis,
        compared=len(rows),
        differ=sum(not match.agree for *_, match in rows),
        largest=max(gaps, default=None),
        changes=tuple(
            AnswerChange(instance=instance, before=before, after=after)
            for instance, before, after, match in rows
            if not match.agree
        ),
    )


def _key(instance: Any) -> str:
    return json.dumps(instance, sort_keys=True)


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return the changes by name in the order of ``after``, then the removed names."""
    changes = []
    for name in dict.fromkeys([*after, *before]):
        if name not in before:
            changes.append(Change(name=name, kind="added", after=hide_secrets(name, after[name])))
        elif name not in after:
            changes.append(Change(name=name, kind="removed", before=hide_secrets(name, before[name])))
        elif before[name] != after[name]:
            old, new = hide_secrets(name, before[name]), hide_secrets(name, after[name])
            changes.append(Change(name=name, kind="changed", before=old, after=new))
    return tuple(changes)


def _model(manifest: Manifest) -> dict[str, Any]:
    provenance = manifest.provenance
    git = provenance.git
    return {
        "class": manifest.kind,
        "framework": manifest.framework,
        "method": manifest.method,
        "stochastic": manifest.stochastic,
        "variable": provenance.source.variable,
        "notebook": provenance.source.notebook,
        "commit": f"{git.commit[:10]}{' with uncommitted changes' if git.dirty else ''}" if git else None,
    }


def _features(a: Manifest, b: Manifest) -> tuple[Change, ...]:
    kinds = [
        {name: in_words(schema) for name, schema in m.signature.instance_schema.get("properties", {}).items()}
        for m in (a, b)
    ]
    names = [list(m.features) if m.features is not None else list(kinds[i]) for i, m in enumerate((a, b))]
    if not all(names):  # one snapshot has no table with column names: the signature shows the change
        return ()
    old, new = ({name: kind.get(name, "") for name in columns} for columns, kind in zip(names, kinds, strict=True))
    # A type that one snapshot does not know is no change of type.
    known = {n: k for n, k in new.items() if k and old.get(n)}
    changes = list(_changes({n: old[n] if n in known else "" for n in old}, {n: known.get(n, "") for n in new}))
    changes = [c.model_copy(update={"before": old.get(c.name), "after": new.get(c.name)}) for c in changes]
    common = [[name for name in columns if name in old and name in new] for columns in names]
    if common[0] != common[1]:
        before, after = (", ".join(columns) for columns in common)
        changes.append(Change(name="(order)", kind="changed", before=before, after=after))
    return tuple(changes)


def in_words(schema: Schema) -> str:
    """Return a schema's types, ``null`` last, and its format."""
    kinds = sorted(types_of(schema), key=lambda name: (name == "null", name))
    words = " or ".join(kinds) or "anything"
    return f"{words} ({schema['format']})" if "format" in schema else words


def _training(manifest: Manifest) -> dict[str, Any]:
    seen = manifest.training
    return {} if seen is None else dict(_flat(seen.model_dump(mode="json")))


def _flat(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and (value or not where):
        for name, item in value.items():
            yield from _flat(item, f"{where}.{name}" if where else str(name))
    else:
        yield where, value


def _dependencies(manifest: Manifest) -> dict[str, Any]:
    environment = manifest.environment
    return {
        "Python": environment.python,
        "platform": environment.platform,
        "interpreter": environment.interpreter,
        **environment.distributions,
    }


_REPORTED_ELSEWHERE = frozenset({"properties", "items"})


def _signature(a: Manifest, b: Manifest) -> Iterator[Change]:
    old, new = a.signature, b.signature
    before = {"container": old.container, "parameters": list(old.parameters), "answer type": old.answer_dtype}
    after = {"container": new.container, "parameters": list(new.parameters), "answer type": new.answer_dtype}
    yield from _changes(before, after)
    old_instance, old_answer = (without_seen(s) for s in (old.instance_schema, old.answer_schema))
    new_instance, new_answer = (without_seen(s) for s in (new.instance_schema, new.answer_schema))
    yield from _schema_changes(old_instance, new_instance, "instance", columns=True)
    yield from _schema_changes(old_answer, new_answer, "answer")


def _schema_changes(a: Schema, b: Schema, where: str, *, columns: bool = False) -> Iterator[Change]:
    """Yield changes by keyword and location; with ``columns``, the features report names and types of columns."""
    old_keywords = {key: value for key, value in a.items() if key not in _REPORTED_ELSEWHERE}
    new_keywords = {key: value for key, value in b.items() if key not in _REPORTED_ELSEWHERE}
    if columns and "required" in old_keywords and "required" in new_keywords:
        known = set(a.get("properties", {})) & set(b.get("properties", {}))
        for side in (old_keywords, new_keywords):
            side["required"] = sorted(known.intersection(side["required"]))
    for change in _changes(old_keywords, new_keywords):
        yield change.model_copy(update={"name": f"{where}: {change.name}"})
    if isinstance(a.get("items"), dict) and isinstance(b.get("items"), dict):
        yield from _schema_changes(a["items"], b["items"], f"{where}[]")
    old, new = a.get("properties", {}), b.get("properties", {})
    for name in dict.fromkeys([*new, *old]):
        if name in old and name in new:
            reported = ("type", "format") if columns else ()
            old_rest, new_rest = ({k: v for k, v in side[name].items() if k not in reported} for side in (old, new))
            yield from _schema_changes(old_rest, new_rest, f"{where}.{name}")
        elif not columns:
            before, after = (in_words(side[name]) if name in side else None for side in (old, new))
            kind: Kind = "added" if before is None else "removed"
            yield Change(name=f"{where}.{name}", kind=kind, before=before, after=after)


def _code(a: Snapshot, b: Snapshot, sources: Sources) -> tuple[SourceChange, ...]:
    old, new = ({n: d for n, d in side.manifest.files.items() if n.startswith(CODE)} for side in (a, b))
    changes = file_changes(old, new, sources)
    return tuple(_as_loaded(c.model_copy(update={"name": c.name.removeprefix(CODE)}), a, b) for c in changes)


def _as_loaded(change: SourceChange, a: Snapshot, b: Snapshot) -> SourceChange:
    """Explain a module without a file in one snapshot: it was not removed but stored as loaded."""
    without = {"removed": b, "added": a}.get(change.kind)
    module = change.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    if without is None or not any(
        f.check == "edited-module" and f.message.startswith(f"the module {module} ") for f in without.manifest.findings
    ):
        return change
    note = f"its file differed from the loaded module, so {without.tag} holds the loaded module, not the file"
    return SourceChange(name=change.name, kind="changed", added=0, removed=0, hunks=(), note=note)


def _words(difference: Difference) -> Iterator[str]:
    """Summarise the difference in a few phrases, the most important first."""
    class_change = next((c for c in difference.model if c.name == "class"), None)
    if class_change is not None:
        yield f"{_last(class_change.before)} -> {_last(class_change.after)}"
    yield from _counted(difference.features, "feature", {"added": "+{}", "removed": "-{}", "changed": "{} re-typed"})
    yield from _some(difference.hyperparameters, "hyperparameter", most=3)
    training = {change.name: change for change in difference.training if change.kind == "changed"}
    if "rows" in training:
        yield f"training rows {training['rows'].before} -> {training['rows'].after}"
    elif "sha256" in training:
        yield "different training data"
    yield from _some(difference.metrics, "metric", most=2)
    yield from _some([c for c in difference.dependencies if c.name not in _HOST_KEYS], "dependency", most=2)
    yield from (f"different {change.name}" for change in difference.dependencies if change.name in _HOST_KEYS)
    if difference.breaks:
        yield "incompatible signature"
    elif difference.signature:
        yield "different signature"
    for changes, noun in ((difference.cells, "cell"), (difference.code, "file")):
        if changes:
            yield f"{_count_of(len(changes), noun)} changed"
    if difference.answers.differ:
        verb = "differs" if difference.answers.compared == 1 else "differ"
        yield f"{difference.answers.differ} of {_count_of(difference.answers.compared, 'common answer')} {verb}"


_HOST_KEYS = ("interpreter", "platform")


def _minor_changes(changes: Difference, old: Manifest, new: Manifest) -> Iterator[str]:
    """Name the minor changes, for a summary without other changes."""
    yield from (f"different {change.name}" for change in changes.model)
    if changes.training:
        yield "description of the training data"
    if old.instances != new.instances:
        yield "different example" if changes.model or changes.training else "only a different example"


def _counted(changes: Sequence[Change], noun: str, forms: Mapping[str, str]) -> Iterator[str]:
    kinds: list[str] = [change.kind for change in changes if change.name != "(order)"]
    for kind, form in forms.items():
        if count := kinds.count(kind):
            number, _, more = form.format(count).partition(" ")
            yield f"{number} {noun}{'s' * (count != 1)} {more}".strip()
    if len(kinds) < len(changes):
        yield f"{noun}s re-ordered"


def _some(changes: Iterable[Change], noun: str, *, most: int) -> Iterator[str]:
    """Yield the first ones in full and count the others."""
    items = list(changes)
    changed = [c for c in items if c.kind == "changed" and not _is_long(c)]
    for change in changed[:most]:
        if is_confidential(change.name) or HIDDEN in (change.before, change.after):
            yield f"{change.name} changed"
        else:
            yield f"{change.name} {_value(change.before)} -> {_value(change.after)}"
    rest = len(items) - len(changed[:most])
    if rest:
        more = "more " if changed[:most] else ""
        yield f"{rest} {more}{noun if rest == 1 else _plural(noun)} changed"


def _is_long(change: Change) -> bool:
    return len(_value(change.before)) + len(_value(change.after)) > 60


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if not value.is_integer() else repr(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _count_of(count: int, noun: str) -> str:
    return f"{count} {noun if count == 1 else _plural(noun)}"


def _plural(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def _last(name: Any) -> str:
    return str(name).rpartition(".")[2]

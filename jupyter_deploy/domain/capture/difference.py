"""What changed from one snapshot to another: a pure function of their manifests, and in a few words."""

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
    """Something with a name that was added, removed or changed; absent on a side is null there."""

    name: str
    kind: Kind
    before: Any = None
    after: Any = None


class AnswerChange(Value):
    """One instance to which the two answer otherwise."""

    instance: Any
    before: Any
    after: Any


class Answers(Value):
    """The answers to the same instances.

    ``basis`` says which they are; ``problem`` why there is nothing to compare.
    """

    basis: str = ""
    compared: int = 0
    differ: int = 0
    largest: float | None = Field(default=None, description="The largest difference of two numbers, in their unit.")
    changes: tuple[AnswerChange, ...] = ()
    problem: str = ""


class Difference(Value):
    """What changed from snapshot ``a`` to snapshot ``b``, by subject; an empty one is as it was."""

    a: str
    b: str
    words: tuple[str, ...] = Field(description="All of it in short.")
    model: tuple[Change, ...] = Field(description="Class, method, notebook, commit.")
    features: tuple[Change, ...] = Field(description="Columns by name: added, removed, or of another type.")
    hyperparameters: tuple[Change, ...]
    training: tuple[Change, ...] = Field(description="The training data's size, ranges, hash and files.")
    metrics: tuple[Change, ...] = Field(description="The notebook's own figures.")
    dependencies: tuple[Change, ...] = Field(description="Python and distributions, by exact version.")
    signature: tuple[Change, ...] = Field(description="What the JSON Schemas of instances and answers say otherwise.")
    breaks: tuple[str, ...] = Field(description="Why b (the candidate) cannot take the place of a (stable).")
    cells: tuple[SourceChange, ...] = Field(description="The executed cells that the model came from.")
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
    """What changed from ``a`` to ``b``.

    Parameters
    ----------
    cells
        The executed cells that the two models came from.
    sources
        The texts of both snapshots' files below ``code/``, by their names in the manifest; a file without a text is
        told as changed, without its lines.
    answers
        Default: those that the manifests hold, on the instances that both examples have.
    """
    old, new = a.manifest, b.manifest
    found = Difference(
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
    words = tuple(_words(found)) or tuple(_otherwise(found, old, new))
    return found.model_copy(update={"words": words})


def common_answers(a: Manifest, b: Manifest) -> Answers:
    """The answers that both manifests hold, on the instances that both examples have."""
    ours = {_key(instance): answer for instance, answer in zip(a.instances, a.predictions, strict=False)}
    common = [
        (instance, ours[key], answer)
        for instance, answer in zip(b.instances, b.predictions, strict=False)
        if (key := _key(instance)) in ours
    ]
    if not common:
        return Answers(problem="their examples have no instance in common")
    return compare_answers(common, a, basis="the instances that both examples hold")


def compare_answers(given: Iterable[tuple[Any, Any, Any]], a: Manifest, *, basis: str) -> Answers:
    """From (instance, answer of a, answer of b); numbers agree as in ``nbdeploy compare``."""
    rule = Rule.of(a.signature.answer_dtype, None, None)
    rows = [(instance, before, after, rule.compare(before, after)) for instance, before, after in given]
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
    """By name, in the order of ``after``, then what it lacks."""
    found = []
    for name in dict.fromkeys([*after, *before]):
        if name not in before:
            found.append(Change(name=name, kind="added", after=hide_secrets(name, after[name])))
        elif name not in after:
            found.append(Change(name=name, kind="removed", before=hide_secrets(name, before[name])))
        elif before[name] != after[name]:
            old, new = hide_secrets(name, before[name]), hide_secrets(name, after[name])
            found.append(Change(name=name, kind="changed", before=old, after=new))
    return tuple(found)


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
    if not all(names):  # one side is no table with names: the signature says so
        return ()
    old, new = ({name: kind.get(name, "") for name in own} for own, kind in zip(names, kinds, strict=True))
    # A type that one side does not know is no change of type.
    known = {n: k for n, k in new.items() if k and old.get(n)}
    found = list(_changes({n: old[n] if n in known else "" for n in old}, {n: known.get(n, "") for n in new}))
    found = [c.model_copy(update={"before": old.get(c.name), "after": new.get(c.name)}) for c in found]
    common = [[name for name in own if name in old and name in new] for own in names]
    if common[0] != common[1]:
        before, after = (", ".join(own) for own in common)
        found.append(Change(name="(order)", kind="changed", before=before, after=after))
    return tuple(found)


def in_words(schema: Schema) -> str:
    """A schema's types, ``null`` last, and its format."""
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


_TOLD_ELSEWHERE = frozenset({"properties", "items"})


def _signature(a: Manifest, b: Manifest) -> Iterator[Change]:
    old, new = a.signature, b.signature
    named = {"container": old.container, "parameters": list(old.parameters), "answer type": old.answer_dtype}
    now = {"container": new.container, "parameters": list(new.parameters), "answer type": new.answer_dtype}
    yield from _changes(named, now)
    asked, answered = (without_seen(s) for s in (old.instance_schema, old.answer_schema))
    asked_now, answered_now = (without_seen(s) for s in (new.instance_schema, new.answer_schema))
    yield from _schema_changes(asked, asked_now, "instance", columns=True)
    yield from _schema_changes(answered, answered_now, "answer")


def _schema_changes(a: Schema, b: Schema, where: str, *, columns: bool = False) -> Iterator[Change]:
    """By keyword and place. ``columns``: which there are and of what types, the features say."""
    ours = {key: value for key, value in a.items() if key not in _TOLD_ELSEWHERE}
    theirs = {key: value for key, value in b.items() if key not in _TOLD_ELSEWHERE}
    if columns and "required" in ours and "required" in theirs:
        known = set(a.get("properties", {})) & set(b.get("properties", {}))
        for side in (ours, theirs):
            side["required"] = sorted(known.intersection(side["required"]))
    for change in _changes(ours, theirs):
        yield change.model_copy(update={"name": f"{where}: {change.name}"})
    if isinstance(a.get("items"), dict) and isinstance(b.get("items"), dict):
        yield from _schema_changes(a["items"], b["items"], f"{where}[]")
    old, new = a.get("properties", {}), b.get("properties", {})
    for name in dict.fromkeys([*new, *old]):
        if name in old and name in new:
            told = ("type", "format") if columns else ()
            one, other = ({k: v for k, v in side[name].items() if k not in told} for side in (old, new))
            yield from _schema_changes(one, other, f"{where}.{name}")
        elif not columns:
            before, after = (in_words(side[name]) if name in side else None for side in (old, new))
            kind: Kind = "added" if before is None else "removed"
            yield Change(name=f"{where}.{name}", kind=kind, before=before, after=after)


def _code(a: Snapshot, b: Snapshot, sources: Sources) -> tuple[SourceChange, ...]:
    old, new = ({n: d for n, d in side.manifest.files.items() if n.startswith(CODE)} for side in (a, b))
    found = file_changes(old, new, sources)
    return tuple(_as_loaded(c.model_copy(update={"name": c.name.removeprefix(CODE)}), a, b) for c in found)


def _as_loaded(change: SourceChange, a: Snapshot, b: Snapshot) -> SourceChange:
    """A module without a file on one side, not being what its file says, was not removed: it went in as loaded."""
    without = {"removed": b, "added": a}.get(change.kind)
    module = change.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    if without is None or not any(
        f.check == "edited-module" and f.message.startswith(f"the module {module} ") for f in without.manifest.findings
    ):
        return change
    note = f"its file is not what was loaded, so {without.tag} holds it as loaded, not as a file"
    return SourceChange(name=change.name, kind="changed", added=0, removed=0, hunks=(), note=note)


def _words(found: Difference) -> Iterator[str]:
    """The whole difference in a few phrases, what matters most first."""
    other = next((c for c in found.model if c.name == "class"), None)
    if other is not None:
        yield f"{_last(other.before)} -> {_last(other.after)}"
    yield from _counted(found.features, "feature", {"added": "+{}", "removed": "-{}", "changed": "{} re-typed"})
    yield from _some(found.hyperparameters, "hyperparameter", most=3)
    training = {change.name: change for change in found.training if change.kind == "changed"}
    if "rows" in training:
        yield f"training rows {training['rows'].before} -> {training['rows'].after}"
    elif "sha256" in training:
        yield "other training data"
    yield from _some(found.metrics, "metric", most=2)
    yield from _some([c for c in found.dependencies if c.name not in _PLACES], "dependency", most=2)
    yield from (f"another {change.name}" for change in found.dependencies if change.name in _PLACES)
    if found.breaks:
        yield "other signature: cannot take its place"
    elif found.signature:
        yield "other signature"
    for changes, what in ((found.cells, "cell"), (found.code, "file")):
        if changes:
            yield f"{_many(len(changes), what)} changed"
    if found.answers.differ:
        yield f"{found.answers.differ} of {_many(found.answers.compared, 'common answer')} differ"


_PLACES = ("interpreter", "platform")


def _otherwise(found: Difference, old: Manifest, new: Manifest) -> Iterator[str]:
    """What is not worth a word, unless nothing else changed."""
    yield from (f"another {change.name}" for change in found.model)
    if found.training:
        yield "what is known of the training data"
    if old.instances != new.instances:
        yield "another example" if found.model or found.training else "only another example"


def _counted(changes: Sequence[Change], what: str, forms: Mapping[str, str]) -> Iterator[str]:
    kinds: list[str] = [change.kind for change in changes if change.name != "(order)"]
    for kind, form in forms.items():
        if count := kinds.count(kind):
            number, _, more = form.format(count).partition(" ")
            yield f"{number} {what}{'s' * (count != 1)} {more}".strip()
    if len(kinds) < len(changes):
        yield f"{what}s re-ordered"


def _some(changes: Iterable[Change], what: str, *, most: int) -> Iterator[str]:
    """The first ones in full, the others counted."""
    given = list(changes)
    changed = [c for c in given if c.kind == "changed" and not _is_long(c)]
    for change in changed[:most]:
        if is_confidential(change.name) or HIDDEN in (change.before, change.after):
            yield f"{change.name} changed"
        else:
            yield f"{change.name} {_value(change.before)} -> {_value(change.after)}"
    rest = len(given) - len(changed[:most])
    if rest:
        more = "more " if changed[:most] else ""
        yield f"{rest} {more}{what if rest == 1 else _plural(what)} changed"


def _is_long(change: Change) -> bool:
    return len(_value(change.before)) + len(_value(change.after)) > 60


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if not value.is_integer() else repr(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _many(count: int, what: str) -> str:
    return f"{count} {what if count == 1 else _plural(what)}"


def _plural(what: str) -> str:
    return f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"


def _last(name: Any) -> str:
    return str(name).rpartition(".")[2]

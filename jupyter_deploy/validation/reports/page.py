"""A validation as one HTML file to be opened from disk: no scripts, no requests."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata, resources
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from jupyter_deploy.domain.evidence.inference import Interval
from jupyter_deploy.domain.secret_names import hide_secrets
from jupyter_deploy.domain.validation.chart import (
    Figure,
    Part,
    described,
    figures,
    has_history,
    has_sides,
    history_chart,
    history_described,
    number,
    sides_chart,
)
from jupyter_deploy.domain.validation.summary import ENDED, SIGNS, URGENCY, reasons, verdict_word
from jupyter_deploy.domain.validation.validation import Check, GateResult, Run, Validation, titles

from .charts import PAGE_COLOURS, svg
from .notebooks import Notebooks

_CARDS = 18
_PARTS = 12
_AT_ONCE = 10


def render(validation: Validation, history: Iterable[Validation], folder: Path) -> str:
    """Render the page for ``folder``; links to files in the folder are relative."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    template = Environment(
        loader=PackageLoader("jupyter_deploy.validation.reports", "."), autoescape=True, undefined=StrictUndefined
    ).get_template("report.html.j2")
    names = run_names(validation.runs)
    all_figures = figures(validation, history)
    drawn = all_figures[:_CARDS]
    compared = any(part.stable is not None for figure in all_figures for part in figure.parts)
    return template.render(
        v=validation,
        signs=SIGNS,
        title=validation.endpoint or validation.snapshot or "validation",
        headline=f"{verdict_word(validation)}: {reasons(validation)}",
        subject=_subject(validation),
        facts=_facts(validation),
        gates=ordered_gates(validation, names),
        checks=ordered_checks(validation, names),
        folded=_folded,
        figures=all_figures,
        cards=[_card(figure, names) for figure in drawn],
        left_out=len(all_figures) - len(drawn),
        many=len(validation.runs) > 1,
        compared=compared,
        by_difference=any(gate.stable is not None for run in validation.runs for gate in run.gates),
        candidate=f"candidate: {validation.snapshot}" if validation.snapshot else "measured",
        stable=f"stable: {validation.stable}" if validation.stable else "stable",
        table=[_row(figure, part, names) for figure in all_figures for part in figure.parts],
        runs=_runs(validation, names, folder),
        style=markup(resources.files(__package__).joinpath("report.css").read_text("utf-8")),
        version=version(),
    )


def run_names(runs: Sequence[Run]) -> dict[int, str]:
    """Return the name of each run, by ``id`` since two runs may be equal."""
    return dict(zip(map(id, runs), titles([(run.notebook, run.parameters) for run in runs]), strict=True))


def ordered_gates(validation: Validation, names: Mapping[int, str]) -> list[tuple[GateResult, str]]:
    """Return all gates, failing ones first, each with the name of its run."""
    live = [(gate, "live traffic") for gate in validation.live]
    gates = [*live, *((gate, names[id(run)]) for run in validation.runs for gate in run.gates)]
    return sorted(gates, key=lambda pair: URGENCY[pair[0].verdict])


def ordered_checks(validation: Validation, names: Mapping[int, str]) -> list[tuple[Check, str]]:
    """Return all checks, failing ones first, each with the name of its run."""
    checks = [(check, names[id(run)]) for run in validation.runs for check in run.checks]
    return sorted(checks, key=lambda pair: pair[0].passed)


def _folded(results: Sequence[tuple[Any, str]], what: str) -> list[tuple[str, Sequence[tuple[Any, str]]]]:
    """Return the visible results, and if many pass, these under a title of their own."""
    passed = [
        pair for pair in results if getattr(pair[0], "verdict", "") == "pass" or getattr(pair[0], "passed", False)
    ]
    others = results[: len(results) - len(passed)]
    if len(passed) <= _AT_ONCE:
        return [("", results)] if results else []
    return [*([("", others)] if others else []), (f"{len(passed)} {what}s hold", passed)]


def link_to(path: Path, folder: Path) -> str:
    """Return the link to a file from a page in ``folder``."""
    return quote(path.name) if path.parent == folder else path.absolute().as_uri()


def files_of(validation: Validation) -> list[Path]:
    """Return the executed notebooks that the page links to."""
    return [Path(path) for run in validation.runs for path in (run.executed, run.executed_stable) if path]


def _subject(validation: Validation) -> str:
    if validation.snapshot is None:
        return "The notebooks called no model."
    against = f" against the stable release {validation.stable}" if validation.stable else ""
    behind = f" for the endpoint {validation.endpoint}" if validation.endpoint else ""
    return f"{validation.snapshot}{behind}{against}"


def _facts(validation: Validation) -> list[tuple[str, str]]:
    facts = [
        ("when", f"{validation.at:%Y-%m-%d %H:%M:%S} UTC"),
        ("asked by", validation.trigger + (f", {validation.by}" if validation.by else "")),
        ("took", _duration(validation.seconds)),
        ("notebooks", str(len(validation.runs))),
    ]
    return [(name, value) for name, value in facts if value]


def _card(figure: Figure, names: Mapping[int, str]) -> dict[str, Any]:
    few = Figure(figure.name, figure.run, figure.parts[:_PARTS], figure.gates, figure.history)
    first = figure.parts[0]
    details = ""
    if first.stable is not None:
        details = f"stable {number(first.stable.value)}"
        if math.isfinite(first.metric.value - first.stable.value):
            details += f", difference {_signed(first.metric.value - first.stable.value)}"
    if first.metric.group:
        details = ", ".join(filter(None, (first.name, details)))
    return {
        "name": figure.name,
        "where": names[id(figure.run)],
        "value": number(first.metric.value),
        "details": details,
        "gates": sorted(figure.gates, key=lambda gate: URGENCY[gate.verdict]),
        "sides": markup(svg(sides_chart(few, PAGE_COLOURS), described(few))) if has_sides(few) else "",
        "hidden": len(figure.parts) - len(few.parts),
        "history": markup(svg(history_chart(figure, PAGE_COLOURS), history_described(figure)))
        if has_history(figure)
        else "",
    }


def _row(figure: Figure, part: Part, names: Mapping[int, str]) -> dict[str, str]:
    difference = part.metric.value - part.stable.value if part.stable else math.nan
    return {
        "name": figure.name,
        "part": part.name,
        "n": "" if part.metric.n is None else f"{part.metric.n:,}",
        "value": number(part.metric.value),
        "interval": _interval(part.interval),
        "stable": number(part.stable.value) if part.stable else "",
        "stable_interval": _interval(part.stable_interval),
        "difference": _signed(difference) if math.isfinite(difference) else "",
        "where": names[id(figure.run)],
    }


def _signed(difference: float) -> str:
    return f"{difference:+.3g}".replace("-", "−")


def _interval(interval: Interval | None) -> str:
    return f"[{number(interval.low)}, {number(interval.high)}]" if interval else ""


def _runs(validation: Validation, names: Mapping[int, str], folder: Path) -> list[dict[str, Any]]:
    """Return each run with its notebooks; those that do not pass are rendered first, up to the page's limit."""
    notebooks, documents = Notebooks(), {}
    for run in sorted(validation.runs, key=lambda run: URGENCY[run.verdict]):
        documents[id(run)] = [
            _notebook(Path(path), f"{what}: {names[id(run)]}", notebooks, folder)
            for path, what in ((run.executed, "As it ran"), (run.executed_stable, "As it ran with stable"))
            if path
        ]
    return [
        {
            "name": names[id(run)],
            "verdict": run.verdict,
            "ended": _ended(run),
            "facts": [
                *(("kernel", name) for name in [run.kernel] if name),
                *((key, repr(hide_secrets(key, value))) for key, value in run.parameters.items()),
            ],
            "detail": run.detail,
            "error": run.error,
            "notebooks": documents[id(run)],
        }
        for run in validation.runs
    ]


def _ended(run: Run) -> str:
    if run.status == "not run":
        return ENDED[run.status]
    return f"{'ran ' if run.status == 'done' else ''}{ENDED[run.status]}, {_duration(run.seconds)}"


def _notebook(path: Path, title: str, notebooks: Notebooks, folder: Path) -> dict[str, Any]:
    document, height, note = notebooks.document(path, title)
    return {
        "document": document,
        "height": height,
        "said": note,
        "title": title,
        "file": PurePath(path).name,
        "link": link_to(path, folder),
    }


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def markup(text: str) -> Any:
    """Mark a text as HTML."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - our own stylesheet, and SVG whose texts vl-convert escapes


def version() -> str:
    """Return the version of nbdeploy."""
    return metadata.version("nbdeploy")

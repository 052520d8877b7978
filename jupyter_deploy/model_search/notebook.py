"""The notebook of a search: it trains the found models by scikit-learn and LightGBM alone, and ends in their table."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.model_search.search import BASELINE, ENSEMBLE, Task, Trial
from jupyter_deploy.validation.scaffold.examples import notebook_text

from .columns import Columns
from .families import FAMILIES
from .features import IMPORTED
from .layout import assigned, filled, imported, wrapped
from .splits import Split
from .table import reader_of

_IN_ENSEMBLE = 3
"""The best families in the ensemble."""


def data_cell(paths: tuple[Path, Path | None], columns: Columns, label: Any, task: Task, split: Split) -> str:
    """Return the cell that reads the table and names its columns.

    Parameters
    ----------
    paths
        The table's, and that of the notebook's folder; None: the cell has the table's absolute path.
    label
        The column to predict.
    """
    path, folder = paths
    lines = [f"table = pd.{reader_of(path)}({_relative(path, folder)!r}).reset_index(drop=True)"]
    lines += [f"table[{name!r}] = pd.to_datetime(table[{name!r}])" for name in columns.parsed]
    lines += [split.order] if split.order else []
    kinds = {"numbers": columns.numbers, "categories": columns.categories, "dates": columns.dates}
    present = {kind: names for kind, names in kinds.items() if names}
    lines += ["", *(assigned(kind, names) for kind, names in present.items())]
    cast = ".astype(dict.fromkeys(numbers, float))" if columns.numbers else ""
    lines += [f"X = table[{' + '.join(present)}]{cast}", f"y = table[{label.name!r}]{_label_cast(label, task)}"]
    return "\n".join(lines)


def split_cell(split: Split, gaps: bool) -> str:
    """Return the cell that holds rows out.

    ``gaps``: features have missing values. Then the first held-out rows, the example of the snapshots, show them.
    """
    lines = [
        split.code,
        "X_train, y_train = X.iloc[train], y.iloc[train]",
        "X_test, y_test = X.iloc[test], y.iloc[test]",
    ]
    if gaps:
        lines += [
            "",
            "# The first rows are the models' example: where one of them has a gap, requests may have null.",
            "gaps = X_test.isna()",
            'gaps = gaps.loc[gaps.sum(axis=1).sort_values(ascending=False, kind="stable").index]',
            "first = gaps.idxmax()[gaps.any()].unique()[:4]",
            "order = [*first, *X_test.index.difference(first, sort=False)]",
            "X_test, y_test = X_test.loc[order], y_test.loc[order]",
        ]
    return "\n".join(lines)


def imports_cell(sources: Sequence[str], split: Split) -> str:
    """Return the imports of names that the other cells use, sorted."""
    text = "\n".join(sources)
    by_module: dict[str, set[str]] = {}
    modules = {**IMPORTED, **{name: family.module for family in FAMILIES for name in family.estimator.values()}}
    for name, module in modules.items():
        if re.search(rf"\b{name}\b", text):
            by_module.setdefault(module, set()).add(name)
    lines = [imported(module, sorted(names)) for module, names in by_module.items()]
    lines += [split.imports] if split.imports else []
    return "\n".join(["import pandas as pd", *sorted(lines)])


def models_of(best: Sequence[Trial], task: Task, scorer: str) -> dict[str, str]:
    """Return the expression of each unfitted model by its variable: of families, the ensemble, the baseline."""
    found = {trial.family: trial.expression for trial in best}
    together = [trial.family for trial in best[:_IN_ENSEMBLE]]
    if len(together) > 1:
        named = ", ".join(f'("{name}", {name})' for name in together)
        found[ENSEMBLE] = (
            # flatten_transform: else no converter to ONNX takes it
            f'VotingClassifier([{named}], voting="soft", flatten_transform=False)'
            if task == "classification"
            else f"VotingRegressor([{named}])"
        )
    found[BASELINE] = baseline(task, scorer)
    return found


def baseline(task: Task, scorer: str) -> str:
    """Return the model that ignores the features: the shares of the classes, or the median or mean of the label."""
    if task == "classification":
        return 'DummyClassifier(strategy="prior")'
    return f'DummyRegressor(strategy="{"median" if "absolute" in scorer else "mean"}")'


def model_cell(name: str, expression: str) -> str:
    """Return the cell that fits a model."""
    return wrapped(f"{name} = {expression}.fit(X_train, y_train)")


def candidates_cell(names: Sequence[str], options: Mapping[str, Any]) -> str:
    """Return the last cell, with the table of candidates."""
    models = "\n".join(filled([f'"{name}": {name}' for name in names], 8))
    given = "".join(f"    {name}={value!r},\n" for name, value in options.items())
    arguments = f"    {{\n{models}\n    }},\n    X_test,\n    y_test,\n{given}"
    return f"import jupyter_deploy\n\ncandidates = jupyter_deploy.candidates(\n{arguments})\ncandidates"


def text_of(title: str, words: str, cells: Mapping[str, str]) -> str:
    """Return the notebook; ``cells``: the code by a heading, of which an empty one has no cell of its own."""
    parts = [("markdown", f"# {title}\n\n{words}")]
    for heading, source in cells.items():
        parts += [("markdown", f"## {heading}"), ("code", source)]
    return notebook_text(parts)


def _relative(path: Path, folder: Path | None) -> str:
    """Return the path of the data from the notebook's folder, if it is below its parent; else the absolute one."""
    absolute = path.resolve()
    if folder is None:
        return str(absolute)
    base = folder.resolve()
    if absolute.is_relative_to(base.parent) and base.parent != Path(base.anchor):
        return os.path.relpath(absolute, base)
    return str(absolute)


def _label_cast(label: Any, task: Task) -> str:
    """Return the method that makes the label's type one of NumPy's."""
    import pandas as pd

    kind = label.dtype
    if task == "regression":
        return ".astype(float)"
    if isinstance(kind, pd.CategoricalDtype):
        return ".astype(object)"
    if pd.api.types.is_extension_array_dtype(kind):
        if pd.api.types.is_bool_dtype(kind):
            return ".astype(bool)"
        return ".astype(int)" if pd.api.types.is_numeric_dtype(kind) else ".astype(object)"
    return ""

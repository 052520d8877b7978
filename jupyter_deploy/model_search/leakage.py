"""Checks for leakage before a search: columns that give the label away, rows that repeat, groups."""

from __future__ import annotations

from typing import Any

from jupyter_deploy.domain.capture.findings import listed
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.model_search.search import SearchNote, Task

from .columns import Columns

NEAR_PERFECT_AUC = 0.999
NEAR_PERFECT_CORRELATION = 0.9999
"""Spearman's, of a column with a label of numbers."""

MOST_REPEATED = 0.2
"""A larger share of repeated rows is the nature of a table, such as one of few categories."""

_NAMED = 8


def require_no_copy(table: Any, label: str, columns: Columns, task: Task) -> None:
    """Raise InvalidInput if a column is a copy of the label: the same numbers, or one value for each class."""
    copies = [name for name in columns.features if _is_copy(table[name], table[label], task)]
    if copies:
        verb = "is a copy" if len(copies) == 1 else "are copies"
        options = " ".join(f"--exclude {name!r}" if " " in name else f"--exclude {name}" for name in copies)
        named = listed([repr(name) for name in copies], _NAMED)
        raise InvalidInput(
            f"{named} {verb} of the label '{label}': a model would only read it", f"leave it out: {options}"
        )


def _is_copy(column: Any, label: Any, task: Task) -> bool:
    if task == "regression":
        if column.dtype.kind not in "iuf" or column.isna().any():
            return False
        import numpy as np

        one, other = column.to_numpy(dtype=float), label.to_numpy(dtype=float)
        return bool(np.isclose(abs(np.corrcoef(one, other)[0, 1]), 1.0, rtol=0, atol=1e-12))
    if column.nunique(dropna=False) != label.nunique():
        return False
    pairs = column.astype(object).where(column.notna(), None).to_frame("column").assign(label=label.to_numpy())
    return bool(len(pairs.drop_duplicates()) == label.nunique())


def suspicious_columns(table: Any, label: str, columns: Columns, task: Task) -> list[SearchNote]:
    """Warn of single columns that predict the label almost perfectly."""
    near = [
        name for name in columns.features if _is_near_perfect(table[name], table[label], task, name in columns.dates)
    ]
    if not near:
        return []
    return [
        SearchNote(
            severity="warning",
            message=f"{listed(near, _NAMED)} alone predict{'s' * (len(near) == 1)} '{label}' almost perfectly: "
            "was it known before the label?",
            remedy="if not, leave it out: --exclude " + near[0],
        )
    ]


def _is_near_perfect(column: Any, label: Any, task: Task, is_date: bool) -> bool:
    import pandas as pd

    numeric = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    if is_date:
        return False  # a time order is the split's matter
    if numeric:
        present = column.notna()
        values, truth = column[present].astype(float), label[present]
        if len(values) < len(column) / 2 or values.nunique() < 2 or truth.nunique() < 2:
            return False
        if task == "regression":
            return abs(float(values.corr(truth.astype(float), method="spearman"))) >= NEAR_PERFECT_CORRELATION
        from sklearn.metrics import roc_auc_score

        found = [float(roc_auc_score(truth == one, values)) for one in truth.unique()]
        return min(max(area, 1 - area) for area in found) >= NEAR_PERFECT_AUC
    if task == "regression" or column.nunique() > len(column) / 10:
        return False
    groups = pd.DataFrame({"column": column.astype(str), "label": label.to_numpy()}).groupby("column")["label"]
    right = groups.agg(lambda labels: labels.value_counts().iloc[0]).sum()
    share, common = right / len(column), label.value_counts(normalize=True).iloc[0]
    return bool(share >= NEAR_PERFECT_AUC and share > common)


def repeated_rows(table: Any, columns: Columns) -> float:
    """Return the share of rows whose values all occur in an earlier row."""
    return float(table[columns.features].duplicated().mean())


def possible_groups(table: Any, columns: Columns) -> list[SearchNote]:
    """Note columns whose name and values look like those of groups, such as ``customer_id``."""
    found = []
    for name in (*columns.numbers, *columns.categories):
        words = name.lower().replace("-", "_").split("_")
        different = table[name].nunique()
        if words[-1] in ("id", "uuid", "key") and _NAMED < different < len(table):
            found.append(
                SearchNote(
                    severity="warning",
                    message=f"'{name}' has {different:,} values in {len(table):,} rows: rows of one value may be on "
                    "both sides of the split",
                    remedy=f"if they belong together: --group-column {name}; if it is no property: --exclude {name}",
                )
            )
    return found

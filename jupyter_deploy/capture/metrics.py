"""The notebook's own metrics of a model: numbers in variables named after a metric, such as ``test_auc``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

METRICS = (
    *("accuracy", "acc", "auc", "auroc", "auprc", "precision", "recall", "f1", "f2", "fbeta", "jaccard", "iou"),
    *("brier", "loss", "logloss", "perplexity", "mcc", "matthews_corrcoef", "kappa", "sensitivity", "specificity"),
    *("r2", "rmse", "mse", "mae", "mape", "smape", "rmsle", "msle", "medae", "explained_variance", "error", "deviance"),
    *("ndcg", "dcg", "mrr", "silhouette", "homogeneity", "completeness", "rand_score", "bleu", "rouge", "wer", "score"),
)
"""Words of metrics within a name in snake case; scikit-learn's scorers (``roc_auc``,
``balanced_accuracy``, ``neg_log_loss``, …) all hold one of them."""

_SETTINGS = (
    *("threshold", "thresh", "cutoff", "target", "weight", "digits", "decimals", "min", "max", "n", "num", "patience"),
    *("code", "col", "fn", "seed", "alpha", "idx", "rate"),
)
_NAME = re.compile(rf"(?:^|_)(?:{'|'.join(METRICS)})(?:_|$)")
_SETTING = re.compile(rf"(?:^|_)(?:{'|'.join(_SETTINGS)})(?:_|$)")

MOST = 50
"""The number of metrics that are stored, in order of assignment."""


def metrics_of(namespace: Mapping[str, Any]) -> dict[str, float]:
    """Return the finite numbers (int, float, arrays and tensors without a dimension) in variables named after metrics.

    ``max_error`` is one of scikit-learn's; other names with a setting's word (``score_threshold``) do not count.
    """
    metrics: dict[str, float] = {}
    for name, value in list(namespace.items()):
        if len(metrics) == MOST:
            break
        if _says_metric(name) and (number := _number(value)) is not None:
            metrics[name] = number
    return metrics


def _says_metric(name: str) -> bool:
    lower = name.lower()
    if lower.startswith("_") or not _NAME.search(lower):
        return False
    return lower.endswith(("max_error", "error_rate")) or not _SETTING.search(lower)


def _number(value: Any) -> float | None:
    if isinstance(value, bool | str | bytes):
        return None
    if not isinstance(value, int | float):
        kind = str(getattr(value, "dtype", ""))
        if getattr(value, "shape", None) != () or not re.search(r"float|int", kind):
            return None
        try:
            value = value.item()
        except Exception:  # noqa: BLE001 - a tensor on a device without data; the metric is only informative
            return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None

"""Gates of validation notebooks: how often a model exactly at a gate's bound passes, and how often it fails.

Both are wrong decisions at the bound, nominally 2.5 % each. The judge, the kernel's ``metric`` and the documents
between them are the product's own.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import binom

from jupyter_deploy.domain.evidence.e_values import refuted
from jupyter_deploy.domain.gates.parser import parse_gate
from jupyter_deploy.domain.validation.attempts import level_of
from jupyter_deploy.domain.validation.validation import GateResult, Metric
from jupyter_deploy.faces.kernel.metrics import measure
from jupyter_deploy.validation.judge import Statistician
from jupyter_deploy.validation.metric_messages import MetricCollector
from jupyter_deploy.validation.shares import clopper_pearson

from .streams import SEED, percent
from .table import Row

SIZES = (30, 100, 1_000)
TRIALS = 200
ATTEMPTS = 20

_BOTH = "≤ 2.5 % each"
_FIGURE = "at the bound: pass, fail"

Sample = Callable[[np.random.Generator, int], dict[str, Any]]
"""Draws the arguments of ``metric`` for a number of rows."""


def rows() -> Iterator[Row]:
    """Measure shares, means, functions, percentiles, pairs, clusters, repeated attempts and subgroups."""
    for n in SIZES:
        yield from _shares(n)
    for n in SIZES:
        yield from _single(n)
    for n in SIZES:
        yield from _paired(n)
    yield from _clusters()
    yield from _attempts()
    yield _subgroups()


def _shares(n: int) -> Iterator[Row]:
    """Sum over all outcomes, without simulation."""
    intervals = [clopper_pearson(k, n) for k in range(n + 1)]
    for truth in (0.9, 0.99, 0.999):
        chance = binom.pmf(np.arange(n + 1), n, truth)
        passed = sum(c for c, one in zip(chance, intervals, strict=True) if one.low >= truth)
        failed = sum(c for c, one in zip(chance, intervals, strict=True) if one.high < truth)
        observed = f"{percent(passed)}, {percent(failed)}"
        yield Row(f"{n:,} rows: share >= {truth:g}", _FIGURE, _BOTH, observed)


def _single(n: int) -> Iterator[Row]:
    rng = np.random.default_rng(SEED + n)
    scenarios: list[tuple[str, str, Sample]] = [
        ("mean of normal losses", "m <= 2", lambda g, k: {"rows": g.normal(2, 1, k)}),
        ("mean of skewed losses (gamma, shape 1)", "m <= 2", lambda g, k: {"rows": g.gamma(1, 2, k)}),
        ("RMSE of normal errors", "m <= 1", lambda g, k: {"rows": g.normal(0, 1, k), "statistic": "rms"}),
        (
            "RMSE of errors with heavy tails (t, 3 degrees)",
            f"m <= {3**0.5}",
            lambda g, k: {"rows": g.standard_t(3, k), "statistic": "rms"},
        ),
        ("p95 of latencies", "m <= 5.180", lambda g, k: {"rows": g.lognormal(0, 1, k), "statistic": "p95"}),
        ("recall of 20 % positives", "m >= 0.95", partial(_recalled, 0.95)),
        ("area under the curve, 20 % positives", "m >= 0.9", _scored),
    ]
    for name, gate, sample in scenarios:
        results = [_judged(gate, _measured(sample(rng, n))) for _ in range(TRIALS)]
        yield _row(f"{n:,} rows: {name}", results)


def _paired(n: int) -> Iterator[Row]:
    rng = np.random.default_rng(SEED + 2 * n)

    def shares() -> GateResult:
        stable = rng.random(n) < 0.9
        mine = np.where(stable, rng.random(n) < 0.95, rng.random(n) < 0.25)  # 0.02 below stable
        return _judged("m >= stable - 0.02", _measured({"rows": mine}), _measured({"rows": stable}))

    def errors() -> GateResult:
        stable = rng.normal(0, 1, n)
        mine = {"rows": 1.1 * (0.9 * stable + 0.19**0.5 * rng.normal(0, 1, n)), "statistic": "rms"}
        return _judged("m <= stable + 0.1", _measured(mine), _measured({"rows": stable, "statistic": "rms"}))

    yield _row(f"{n:,} rows: accuracy against stable's", [shares() for _ in range(4 * TRIALS)])
    yield _row(f"{n:,} rows: RMSE against stable's", [errors() for _ in range(2 * TRIALS)])


def _clusters() -> Iterator[Row]:
    """40 patients of 25 rows each, intraclass correlation 0.3."""
    rng = np.random.default_rng(SEED)
    scenarios: list[tuple[str, str, Callable[[Any, Any], dict[str, Any]]]] = [
        ("share, without cluster=", "m >= 0.8", lambda hits, _: {"rows": hits}),
        ("share", "m >= 0.8", lambda hits, patient: {"rows": hits, "cluster": patient}),
        (
            "function of rows",
            "m >= 0.8",
            lambda hits, patient: {"rows": (hits,), "cluster": patient, "statistic": np.mean},
        ),
        (
            "RMSE",
            f"m <= {2.6**0.5}",
            lambda hits, patient: {"rows": np.where(hits, 1.0, 3.0), "cluster": patient, "statistic": "rms"},
        ),
    ]
    for name, gate, arguments in scenarios:
        results = [_judged(gate, _measured(arguments(*_visits(rng)))) for _ in range(2 * TRIALS)]
        remark = "nothing warns: only the notebook knows its clusters (docs: cluster=)" if "without" in name else ""
        yield _row(f"40 patients of 25 rows, ICC 0.3: {name}", results, remark)
    results = []
    for _ in range(2 * TRIALS):
        stable, patient = _visits(rng)
        mine = np.where(stable, rng.random(len(stable)) < 0.95, rng.random(len(stable)) < 0.2)
        pair = [_measured({"rows": one, "cluster": patient}) for one in (mine, stable)]
        results.append(_judged("m >= stable", *pair))
    yield _row("40 patients of 25 rows, ICC 0.3: share against stable's", results)


def _attempts() -> Iterator[Row]:
    rng = np.random.default_rng(SEED)
    for n in SIZES:
        successes = rng.binomial(n, 0.9, (20_000, ATTEMPTS))
        ever = np.zeros(len(successes), dtype=bool)
        for attempt in range(1, ATTEMPTS + 1):
            least = next((k for k in range(n + 1) if clopper_pearson(k, n, level_of(attempt)).low >= 0.9), n + 1)
            ever |= successes[:, attempt - 1] >= least
        scenario = f"{n:,} rows, other ones at each of {ATTEMPTS} attempts: share >= 0.9"
        yield Row(scenario, "ever passes at the bound", "≤ 5 %", percent(float(ever.mean())))


def _subgroups() -> Row:
    rng = np.random.default_rng(SEED)
    gates, any_failed, any_named = 20, 0, 0
    for _ in range(TRIALS):
        results = [
            Statistician().judge(parse_gate("m >= 0.9"), _measured({"rows": rng.random(200) < 0.9}), None)
            for _ in range(gates)
        ]
        any_failed += any(result.verdict == "fail" for result in results)
        any_named += bool(refuted([result.e_value or 0.0 for result in results]))
    return Row(
        f"{gates} subgroups of 200 rows, all at their bounds",
        "one is named by e-BH",
        "≤ 10 %",
        percent(any_named / TRIALS),
        f"one fails in {percent(any_failed / TRIALS)}: the validation's note says how many fail by chance",
    )


def _visits(rng: np.random.Generator, share: float = 0.8, icc: float = 0.3) -> tuple[Any, Any]:
    """Draw zeros and ones of patients whose own shares are beta distributed, and the patient of each row."""
    total = (1 - icc) / icc
    own = rng.beta(share * total, (1 - share) * total, 40)
    return (rng.random((40, 25)) < own[:, None]).ravel(), np.repeat(np.arange(40), 25)


def _recalled(truth: float, rng: np.random.Generator, n: int) -> dict[str, Any]:
    actual = np.arange(n) % 5 == 0
    return {"rows": (actual, actual & (rng.random(n) < truth)), "statistic": lambda y, p: p[y].mean()}


def _scored(rng: np.random.Generator, n: int) -> dict[str, Any]:
    """Draw normal scores whose means lie so far apart that the area is 0.9."""
    actual = np.arange(n) % 5 == 0
    return {"rows": (actual, rng.normal(0, 1, n) + 1.8124 * actual), "statistic": _area}


def _area(actual: Any, score: Any) -> float:
    ranks = np.empty(len(score))
    ranks[np.argsort(score)] = np.arange(1, len(score) + 1)
    positives = int(actual.sum())
    above = ranks[actual].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (len(score) - positives)))


def _measured(arguments: dict[str, Any]) -> tuple[Metric, ...]:
    collector = MetricCollector()
    with contextlib.redirect_stdout(io.StringIO()):  # says that resampling takes long
        for one in measure("m", **arguments):
            collector.take(1, None, one.document())
    return collector.metrics


def _judged(gate: str, metrics: Sequence[Metric], stable: Sequence[Metric] | None = None) -> GateResult:
    return Statistician().judge(parse_gate(gate), metrics, stable)


def _row(scenario: str, results: Sequence[GateResult], remark: str = "") -> Row:
    warned = sum("heavy tail" in one.sentence or "are few" in one.sentence for one in results) / len(results)
    if warned:
        remark = f"the sentence warns in {percent(warned)} of the samples"
    passed, failed = (sum(one.verdict == verdict for one in results) / len(results) for verdict in ("pass", "fail"))
    return Row(scenario, _FIGURE, _BOTH, f"{percent(passed)}, {percent(failed)}", remark)

"""Search by AutoGluon's portfolio, in an environment of its own: it pins an older pandas.

N. Erickson and others 2020, AutoGluon-Tabular: Robust and accurate AutoML for structured data, arXiv 2003.06505. The
portfolio: D. Salinas, N. Erickson 2024, TabRepo: A large scale repository of tabular model evaluations and its AutoML
applications, AutoML Conference.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.errors import EnvironmentNotBuilt, InvalidInput
from jupyter_deploy.domain.model_search.search import Task, Trial
from jupyter_deploy.environments.installer import pips_settings, run_uv, uv_command, uvs_settings
from jupyter_deploy.system.temp import scratch_folder

from .engines import Evaluate, SearchProblem
from .families import Family

REQUIREMENT = "autogluon.tabular[lightgbm]>=1.6,<1.7"
"""The tested range: the calls at the end of each fit are no public interface."""

WORKER = Path(__file__).with_name("autogluon_worker.py")

_TAIL = 15

_FAMILIES = {"LR": "linear", "GBM": "lightgbm", "RF": "forest", "XT": "extra_trees"}

_LIGHTGBM = {
    "n_estimators": ("num_boost_round", 100),
    "learning_rate": ("learning_rate", 0.1),
    "num_leaves": ("num_leaves", 31),
    "min_child_samples": ("min_data_in_leaf", 20),
    "colsample_bytree": ("feature_fraction", 1.0),
    "reg_lambda": ("lambda_l2", 0.0),
}
"""A parameter of the family: its name in LightGBM's own interface, and LightGBM's default."""


class AutogluonEngine:
    """``engines.SearchEngine``: each model that AutoGluon fits is evaluated as one of a family, as it comes."""

    def __init__(self) -> None:
        self._settings: Mapping[str, str] = {}

    def prepare(self) -> None:
        """Install AutoGluon into uv's cache, unless it is there.

        Raises InvalidInput: it cannot be installed.
        """
        self._settings = uvs_settings(pips_settings())
        command = [*_run(), "python", "-c", "import autogluon.tabular"]
        with scratch_folder("autogluon") as folder:
            try:
                run_uv(command, folder, settings=self._settings)
            except EnvironmentNotBuilt as error:
                raise InvalidInput(
                    f"the engine 'autogluon' needs {REQUIREMENT}, which cannot be installed into an environment of "
                    "its own",
                    "let pip's settings name a package index that has it, or search by FLAML: --engine flaml",
                    error.details,
                ) from error

    def trials(self, families: Sequence[Family], problem: SearchProblem, evaluate: Evaluate) -> Iterator[Trial]:
        """Evaluate each model of the portfolio, in AutoGluon's order."""
        by_name = {family.name: family for family in families}
        tried: set[str] = set()
        with _fitted(problem, self._settings) as models:
            for kind, given in models:
                parameters = parameters_of(kind, given, problem.task, len(problem.rows.columns))
                trial = evaluate(by_name[_FAMILIES[kind]], parameters)
                if trial is None:
                    return
                if trial.expression not in tried:
                    tried.add(trial.expression)
                    yield trial


def parameters_of(kind: str, given: Mapping[str, Any], task: Task, features: int) -> dict[str, Any]:
    """Return the parameters of a family by those of a model that AutoGluon has fitted.

    Parameters
    ----------
    kind
        AutoGluon's: LR, GBM, RF or XT.
    features
        Columns of the table, for a share of features that AutoGluon has by name.
    """
    if kind == "GBM":
        return {ours: given.get(name, default) for ours, (name, default) in _LIGHTGBM.items()}
    if kind == "LR":  # its C is the inverse of the weight of the penalty, of a regression too
        strength = float(given.get("C", 1.0))
        return {"C": strength} if task == "classification" else {"alpha": 1 / strength}
    return {
        "n_estimators": given["n_estimators"],
        "max_features": _share(given["max_features"], features),
        "min_samples_leaf": given["min_samples_leaf"],
    }


def _share(most: str | float, features: int) -> float:
    """Return scikit-learn's ``max_features`` as a share."""
    named = {"sqrt": math.sqrt(features), "log2": math.log2(features)}
    if isinstance(most, str):
        return min(1.0, max(named[most], 1.0) / features)
    return min(1.0, most / features) if isinstance(most, int) else most


def _run() -> list[str]:
    """Return the arguments of uv before a command in AutoGluon's environment, which uv keeps in its cache."""
    return ["run", "--quiet", "--no-project", "--isolated", "--python", sys.executable, "--with", REQUIREMENT]


@contextmanager
def _fitted(problem: SearchProblem, settings: Mapping[str, str]) -> Iterator[Iterator[tuple[str, dict[str, Any]]]]:
    """Fit models in another process, which ends with the context, and yield the kind and parameters of each.

    Raises InvalidInput, at its end: it failed before it fitted a model.
    """
    with scratch_folder("autogluon") as folder, (folder / "errors").open("w+b") as errors:
        label = "label"
        while label in problem.rows.columns:
            label += "_"
        problem.rows.assign(**{label: problem.label}).to_parquet(folder / "training.parquet")
        classes = "binary" if problem.label.nunique() == 2 else "multiclass"
        about = {
            "label": label,
            "kind": "regression" if problem.task == "regression" else classes,
            "metric": problem.metric,
            "seconds": problem.seconds,
        }
        (folder / "problem.json").write_text(json.dumps(about), "utf-8")
        command, variables = uv_command([*_run(), "python", str(WORKER), str(folder)], settings)
        # A session of its own: Ctrl-C ends the search, and the best so far is kept.
        with subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        ) as worker:  # whose end closes its input, at which it ends
            yield _models(worker, errors)


def _models(worker: subprocess.Popen[bytes], errors: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    count = 0
    for line in worker.stdout or ():
        found = json.loads(line)
        yield found["kind"], found["parameters"]
        count += 1
    if count == 0 and worker.wait():
        errors.seek(0)
        last = errors.read().decode(errors="replace").strip().splitlines()[-_TAIL:]
        raise InvalidInput("AutoGluon fitted no model", "search by FLAML: --engine flaml", "\n".join(last))

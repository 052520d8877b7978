"""AutoGluon in an environment of its own: prints a line of JSON for each model that it has fitted.

Started by path with the folder of ``training.parquet`` and ``problem.json``; it imports nothing of nbdeploy. Its
standard input stays open as long as its parent lives.
"""

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pandas as pd
from autogluon.core.callbacks import AbstractCallback
from autogluon.core.metrics import METRICS
from autogluon.tabular import TabularPredictor
from autogluon.tabular.configs.hyperparameter_configs import get_hyperparameter_config

KINDS = ("LR", "GBM", "RF", "XT")


def end_with_parent() -> None:
    """End this process at the end of its standard input: its parent is gone."""

    def wait() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def configurations() -> dict[str, list[dict[str, Any]]]:
    """Return AutoGluon's portfolio of the kinds that the notebook can train, without models that it cannot say."""
    portfolio = get_hyperparameter_config("zeroshot")
    kept = {kind: portfolio.get(kind, {}) for kind in KINDS}
    listed = {kind: given if isinstance(given, list) else [given] for kind, given in kept.items()}
    repeatable = {"GBM": {"deterministic": True, "force_row_wise": True}}
    return {
        kind: [{**one, **repeatable.get(kind, {})} for one in given if not one.get("extra_trees")]
        for kind, given in listed.items()
    }


class Found(AbstractCallback):  # type: ignore[misc]
    """Writes the parameters of each fitted model to a descriptor; it has no file, since AutoGluon pickles it."""

    def __init__(self, out: int) -> None:
        super().__init__()
        self._out = out

    def _after_model_fit(self, trainer: Any, model_names: list[str], **_: Any) -> bool:
        for name in model_names:
            model = trainer.load_model(name)
            given = {**model.params, **model.params_trained}
            if hasattr(model.model, "get_params"):
                given |= model.model.get_params()
            plain = {key: value for key, value in given.items() if isinstance(value, str | int | float)}
            os.write(self._out, (json.dumps({"kind": model.ag_key, "parameters": plain}) + "\n").encode())
        return False


def main(folder: Path) -> None:
    """Fit models until the time is over."""
    end_with_parent()
    out = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no result
    problem = json.loads((folder / "problem.json").read_text("utf-8"))
    training = pd.read_parquet(folder / "training.parquet")
    metric, kind = problem["metric"], problem["kind"]
    known = metric in METRICS[kind]
    predictor = TabularPredictor(
        problem["label"],
        problem_type=kind,
        eval_metric=metric if known else None,
        path=str(folder / "models"),
        verbosity=0,
    )
    predictor.fit(
        training,
        time_limit=problem["seconds"],
        hyperparameters=configurations(),
        num_bag_folds=0,
        num_stack_levels=0,
        fit_weighted_ensemble=False,
        callbacks=[Found(out)],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Search by FLAML's CFO, a local search that begins with cheap models.

Q. Wu, C. Wang, S. Huang 2021, Frugal optimization for cost-related hyperparameters, AAAI 35, 10347-10354.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.model_search.search import Trial

from .engines import Evaluate, SearchProblem
from .families import Family

_FRUITLESS = 30
"""Proposals in a row that are no new model, after which a family counts as exhausted."""


class FlamlEngine:
    """``engines.SearchEngine``: one searcher for each family."""

    def prepare(self) -> None:
        """See ``SearchEngine.prepare``."""
        _flaml()

    def trials(self, families: Sequence[Family], problem: SearchProblem, evaluate: Evaluate) -> Iterator[Trial]:
        """Try the start of each family, then in turn the best family so far and the next of all."""
        searchers = {family.name: _Searcher(family, problem) for family in families}
        tried: set[str] = set()
        queue = list(searchers.values())
        best: tuple[float, _Searcher] | None = None
        turn = 0
        while queue:
            if turn < len(searchers) or turn % 2 or best is None or best[1] not in queue:
                searcher = queue.pop(0)
                queue.append(searcher)
            else:
                searcher = best[1]
            turn += 1
            for _ in range(_FRUITLESS):
                proposed = searcher.propose()
                trial = None if proposed is None else evaluate(searcher.family, proposed)
                if proposed is None:
                    continue
                if trial is None:
                    return
                searcher.learn(proposed, trial.score)
                if trial.expression in tried:
                    continue
                tried.add(trial.expression)
                loss = searcher.loss(trial.score)
                if best is None or loss < best[0]:
                    best = (loss, searcher)
                yield trial
                break
            else:
                queue.remove(searcher)


class _Searcher:
    def __init__(self, family: Family, problem: SearchProblem) -> None:
        tune, cfo = _flaml()
        self.family = family
        self._sign = -1.0 if problem.greater_is_better else 1.0
        start = family.start(problem.task)
        space = {}
        for one in family.parameters[problem.task]:
            make = {
                ("int", True): tune.lograndint,
                ("int", False): tune.randint,
                ("float", True): tune.loguniform,
                ("float", False): tune.uniform,
            }[one.kind, one.log]
            space[one.name] = make(int(one.low), int(one.high) + 1) if one.kind == "int" else make(one.low, one.high)
        # cost_attr=None: with times as costs, the same seed would lead to other trials on another machine.
        self._cfo = cfo(
            space=space, metric="loss", mode="min", low_cost_partial_config=start, points_to_evaluate=[start],
            cost_attr=None, seed=problem.seed,
        )  # fmt: skip
        self._count = 0

    def loss(self, score: float | None) -> float:
        return float("inf") if score is None else self._sign * score

    def propose(self) -> Mapping[str, Any] | None:
        self._count += 1
        config: Mapping[str, Any] | None = self._cfo.suggest(str(self._count))
        return config

    def learn(self, config: Mapping[str, Any], score: float | None) -> None:
        name = str(self._count)
        if score is None:
            self._cfo.on_trial_complete(name, error=True)
        else:
            self._cfo.on_trial_complete(name, {"loss": self.loss(score), "config": dict(config)})


def _flaml() -> tuple[Any, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it recommends its own extra, which this needs not
            from flaml import CFO, tune
    except ImportError as error:
        raise InvalidInput(
            "the engine 'flaml' needs FLAML, which is not installed", "pip install 'nbdeploy[automl]'"
        ) from error
    return tune, CFO

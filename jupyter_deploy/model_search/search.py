"""A search for models: the table is read and checked, then models are tried on the cells of the future notebook."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.model_search.ports import PreparedSearch
from jupyter_deploy.domain.model_search.requests import AutomlRequest
from jupyter_deploy.domain.model_search.search import SearchNote, Task, Trial
from jupyter_deploy.domain.validation.scaffold import Trained
from jupyter_deploy.system.temp import scratch_folder
from jupyter_deploy.validation.scaffold.examples import validation_example

from .columns import columns_of
from .engines import SearchProblem, engine_of
from .evaluation import OutOfTimeError, cross_validate, made, metric_of, require_scores, run_cells
from .families import FAMILIES, Family
from .features import Features
from .label import require_column, task_of
from .leakage import possible_groups, require_no_copy, suspicious_columns
from .notebook import baseline, candidates_cell, data_cell, imports_cell, model_cell, models_of, split_cell, text_of
from .splits import split_of
from .table import columns_in, read_table, require_libraries

IMPORTS, DATA, SPLIT, FEATURES = "Imports", "Data", "Held-out rows", "Features"


class TableSearch:
    """``domain.model_search.ports.ModelSearch``."""

    def prepare(self, request: AutomlRequest, notebook: Path) -> PreparedSearch:
        """See ``ModelSearch.prepare``."""
        require_libraries()
        return SearchOfTable(request, notebook)

    def columns(self, path: Path) -> tuple[str, ...]:
        """See ``ModelSearch.columns``."""
        require_libraries()
        return columns_in(path)

    def require_label(self, columns: Sequence[str], name: str) -> None:
        """See ``ModelSearch.require_label``."""
        require_column(columns, name, "label-column")


class SearchOfTable:
    """``domain.model_search.ports.PreparedSearch``."""

    def __init__(self, request: AutomlRequest, notebook: Path) -> None:
        path = Path(request.data).expanduser()
        self._request = request
        self._engine = engine_of(request.engine)
        self._engine.prepare()
        table = read_table(path).reset_index(drop=True)
        self._label = request.label_column
        self.task: Task = task_of(table, self._label, request.task)
        for name in request.exclude:
            require_column(table.columns, name, "exclude")
        self._metric = metric_of(request.metric, self.task, request.method)
        self.metric, self.greater_is_better = self._metric.name, self._metric.greater_is_better
        self.method = self._metric.method
        columns = columns_of(table, {self._label, *request.exclude, request.group_column or self._label})
        require_no_copy(table, self._label, columns, self.task)
        notes = [*columns.notes, *suspicious_columns(table, self._label, columns, self.task)]
        if request.group_column is None:
            notes += possible_groups(table, columns)
        split = split_of(request, table, columns, self.task, notes)
        self.split = split.words
        self._features = Features(columns, table)
        gaps = bool(table[columns.features].isna().any().any())
        about = columns, table[self._label], self.task, split
        self._data_from_here = data_cell((path, None), *about)
        self._cells = {
            DATA: data_cell((path, notebook.parent), *about),
            SPLIT: split_cell(split, gaps),
            FEATURES: self._features.code,
        }
        self._folds = split.folds(self.task, request.seed)
        self._imports = split
        self.rows = len(table)
        self.notes: Sequence[SearchNote] = tuple(notes)
        names = self._names
        self.held_out = len(names["X_test"])
        if self.task == "classification":
            self._require_classes(names)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plain = made(baseline(self.task, self._metric.scorer), names).fit(names["X_train"], names["y_train"])
        require_scores(self._metric, plain, names["X_test"], names["y_test"])

    @cached_property
    def _names(self) -> dict[str, Any]:
        """The names of the notebook's cells, run here: the search and the notebook have the same rows and features."""
        every = [self._features.expression(family.features, self._model(family)) for family in FAMILIES]
        together = ["VotingClassifier VotingRegressor DummyClassifier DummyRegressor"]
        imports = imports_cell([*self._cells.values(), *every, *together], self._imports)
        return run_cells({IMPORTS: imports, **self._cells, DATA: self._data_from_here})

    def _model(self, family: Family) -> str:
        return family.model(self.task, family.start(self.task), self._request.seed)

    def _require_classes(self, names: Mapping[str, Any]) -> None:
        unseen = sorted(set(map(str, names["y_test"])) - set(map(str, names["y_train"])))
        if unseen:
            raise InvalidInput(
                f"the class {unseen[0]} of '{self._label}' is in held-out rows alone ({self.split})",
                "hold out random rows: --random-split, or leave that class out",
            )

    def trials(self, deadline: float | None) -> Iterator[Trial]:
        """See ``PreparedSearch.trials``."""
        names, seed = self._names, self._request.seed
        data = names["X_train"], names["y_train"]
        groups = names["groups"].iloc[names["train"]] if "groups" in names else None
        known: dict[str, Trial] = {}

        def evaluate(family: Family, parameters: Mapping[str, Any]) -> Trial | None:
            model = family.model(self.task, parameters, seed)
            expression = self._features.expression(family.features, model)
            if expression in known:
                return known[expression]
            began = time.monotonic()
            score: float | None = None
            why = ""
            try:
                folds = self._folds(*data, groups)
                score = cross_validate(lambda: made(expression, names), folds, data, self._metric, deadline)
            except OutOfTimeError:
                return None
            except Exception as error:  # noqa: BLE001 - a model that cannot be fitted is a trial without a score
                why = (str(error).strip().splitlines() or [type(error).__name__])[0]
            if score is not None and not np.isfinite(score):
                score, why = None, "its score is not finite"
            known[expression] = Trial(
                number=len(known) + 1,
                family=family.name,
                expression=expression,
                score=score,
                seconds=time.monotonic() - began,
                why=why,
            )
            return known[expression]

        problem = SearchProblem(
            task=self.task,
            metric=self.metric,
            greater_is_better=self.greater_is_better,
            seed=seed,
            rows=data[0],
            label=data[1],
            seconds=None if deadline is None else max(0.0, deadline - time.monotonic()),
        )
        yield from self._engine.trials(FAMILIES, problem, evaluate)

    def names(self, best: Sequence[Trial]) -> tuple[str, ...]:
        """See ``PreparedSearch.names``."""
        return tuple(self._models(best))

    def _models(self, best: Sequence[Trial]) -> dict[str, str]:
        return models_of(best, self.task, self._metric.scorer)

    def _sources(self, best: Sequence[Trial]) -> dict[str, str]:
        models = {name: model_cell(name, one) for name, one in self._models(best).items()}
        imports = imports_cell([*self._cells.values(), *models.values()], self._imports)
        cells = {IMPORTS: imports, **self._cells, **models}
        return {title: source for title, source in cells.items() if source}

    def cells(self, best: Sequence[Trial]) -> tuple[str, ...]:
        """See ``PreparedSearch.cells``."""
        return tuple(self._sources(best).values())

    def notebook(
        self,
        best: Sequence[Trial],
        words: str,
        constraints: Sequence[str],
        endpoint: str | None,
        *,
        native_only: bool,
    ) -> str:
        """See ``PreparedSearch.notebook``."""
        options: dict[str, Any] = {"metric": self._metric.scorer}
        options |= {"method": self.method} if self.method != "predict" else {}
        options |= {"constraints": list(constraints)} if constraints else {}
        options |= {"endpoint": endpoint} if endpoint else {}
        options |= {"translated": False} if native_only else {}
        cells = {**self._sources(best), "Candidates": candidates_cell(self.names(best), options)}
        return text_of(f"Models for {self._label}", words, cells)

    @contextmanager
    def saved_answers(self, best: Sequence[Trial]) -> Iterator[Path]:
        """See ``PreparedSearch.saved_answers``."""
        names = dict(self._names)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name, expression in self._models(best).items():
                names[name] = made(expression, names).fit(names["X_train"], names["y_train"])
            answers = {name: answers_of(names[name], names["X_test"]) for name in self._models(best)}
        with scratch_folder("answers") as folder:
            path = folder / "answers.npz"
            np.savez(path, allow_pickle=False, **answers)
            yield path

    def validation(
        self, best: Sequence[Trial], notebook: str, endpoint: str, model: str
    ) -> tuple[str, tuple[str, ...]]:
        """See ``PreparedSearch.validation``."""
        options = ("--method", self.method) if self.method != "predict" else ()
        trained = Trained(notebook=notebook, name=endpoint, model=model, example="X_test[:5]", options=options)
        made_of = validation_example(trained, self.cells(best), regression=self.task == "regression")
        return made_of.text, made_of.gates


def answers_of(model: Any, rows: Any) -> Any:
    """Return a model's probabilities if it has some, else its answers, as numbers or texts."""
    found = np.asarray(model.predict_proba(rows) if hasattr(model, "predict_proba") else model.predict(rows))
    return found if found.dtype.kind in "biuf" else found.astype(str)

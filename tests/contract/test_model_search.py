"""The search itself: it is repeatable, keeps what it found, and its notebook gives the same models."""

import itertools
import json
import socket

import numpy as np
import pandas as pd
import pytest

from jupyter_deploy.domain.errors import InvalidInput, Refused
from jupyter_deploy.domain.evidence.estimate import Interval
from jupyter_deploy.domain.model_search.requests import AutomlRequest
from jupyter_deploy.domain.model_search.search import Trial, beats_baseline, best_of_families, chosen_row, leaderboard
from jupyter_deploy.domain.model_selection.constraints import parse_constraints
from jupyter_deploy.domain.model_selection.selection import Score
from jupyter_deploy.faces.kernel.automl import require_equal_answers
from jupyter_deploy.model_search.evaluation import run_cells
from jupyter_deploy.model_search.search import SearchOfTable, TableSearch
from jupyter_deploy.verbs.model_selection import automl as verb
from tests.selections import row, table

ROWS = 150


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A file with numbers, categories, truth values and dates, with gaps."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, ROWS).astype(float),
            "plan": pd.Categorical(rng.choice(["a", "b", "c"], ROWS)),
            "sex": rng.choice(["F", "M"], ROWS),
            "active": rng.random(ROWS) < 0.5,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 1500, ROWS), unit="D"),
            "visits": pd.array(rng.integers(0, 9, ROWS), dtype="Int64"),
        }
    )
    frame["left"] = np.where(frame.age / 20 + (frame.sex == "F") + rng.normal(0, 0.5, ROWS) > 3.2, "yes", "no")
    for name in ("age", "sex", "visits"):
        frame.loc[rng.random(ROWS) < 0.1, name] = None
    path = tmp_path_factory.mktemp("mixed") / "mixed.parquet"
    frame.to_parquet(path)
    return path


def search_of(path, **options):
    request = AutomlRequest(data=str(path), label_column="left", random_split=True, **options)
    return SearchOfTable(request, path.with_name("found.ipynb"))


def tried(search, count):
    return [trial.model_copy(update={"seconds": 0.0}) for trial in itertools.islice(search.trials(None), count)]


@pytest.fixture(scope="module")
def found(mixed):
    search = search_of(mixed)
    return search, tried(search, 7)


def test_the_same_seed_gives_the_same_trials(mixed, found):
    assert tried(search_of(mixed), 7) == found[1]
    assert [trial.family for trial in found[1][:5]] == ["linear", "lightgbm", "forest", "extra_trees", "boosting"]
    assert len({trial.expression for trial in found[1]}) == 7
    assert tried(search_of(mixed, seed=1), 1) != found[1][:1]


def test_the_notebook_trains_the_models_of_the_search(found):
    search, trials = found
    best = best_of_families(trials, greater_is_better=True)
    text = search.notebook(best, "", (), None, native_only=True)
    cells = ["".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert "flaml" not in text
    assert cells[-1].startswith("import jupyter_deploy\n")
    names = run_cells(
        {str(n): source.replace("'mixed.parquet'", repr(search._request.data)) for n, source in enumerate(cells[:-1])}
    )
    with search.saved_answers(best) as answers:
        require_equal_answers(names, answers)
        assert set(np.load(answers)) == {*(one.family for one in best), "ensemble", "baseline"}
        names["forest"].steps[-1][1].estimators_ = names["forest"].steps[-1][1].estimators_[:-1]
        with pytest.raises(Refused, match=r"'forest' of the notebook answers \d+ of 30 held-out rows in another way"):
            require_equal_answers(names, answers)


def test_a_search_opens_no_connection(mixed, monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert len(tried(search_of(mixed), 2)) == 2


def test_a_model_that_raises_is_a_trial_without_a_score(mixed, monkeypatch):
    search = search_of(mixed)
    monkeypatch.setattr(search, "_folds", lambda *_: iter([([0], [1])]))  # one class cannot be learnt
    (trial,) = tried(search, 1)
    assert (trial.score, trial.family) == (None, "linear")
    assert "class" in trial.why


def test_ctrl_c_keeps_the_best_so_far(monkeypatch):
    class Search:
        metric, greater_is_better, rows = "accuracy", True, 100

        def trials(self, deadline):
            yield one_trial(1, "linear", 0.8)
            raise KeyboardInterrupt

    request = AutomlRequest(data="x.parquet", label_column="y", trials=9)
    trials, stopped = verb._search(request, Search(), lambda *_, **__: None)
    assert (stopped, [trial.family for trial in trials]) == (True, ["linear"])


def one_trial(number, family, score):
    return Trial(number=number, family=family, expression=f"{family}()", score=score, seconds=0.0)


def test_the_leaderboard_has_the_best_of_each_family():
    trials = [
        one_trial(1, "linear", 3.0),
        one_trial(2, "forest", 2.0),
        one_trial(3, "linear", 1.0),
        one_trial(4, "x", None),
    ]
    board = leaderboard(trials, "accuracy", greater_is_better=True)
    assert board.words == "best accuracy: linear 3, forest 2"
    assert [(one.trial, one.trials) for one in board.rows] == [(1, 2), (2, 1)]
    assert leaderboard(trials, "error", greater_is_better=False).words == "best error: linear 1, forest 2"


def test_the_columns_of_a_table_are_read_from_the_head_of_its_file(mixed, tmp_path):
    search = TableSearch()
    frame = pd.read_parquet(mixed).set_index("age", drop=False).rename_axis(None)
    frame.to_parquet(tmp_path / "indexed.parquet")
    frame.to_csv(tmp_path / "table.csv", index=False)
    known = ("age", "plan", "sex", "active", "since", "visits", "left")
    assert search.columns(tmp_path / "indexed.parquet") == search.columns(tmp_path / "table.csv") == known
    with pytest.raises(InvalidInput, match="no column 'lefd'") as refused:
        search.require_label(known, "lefd")
    assert "did you mean left" in refused.value.remedy
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(InvalidInput, match=r"broken.parquet cannot be read"):
        search.columns(tmp_path / "broken.parquet")
    with pytest.raises(InvalidInput, match="there is no file"):
        search.columns(tmp_path / "nowhere.csv")


def test_the_baseline_is_never_chosen_and_must_be_beaten():
    good, bad = row("forest", 0.9, 1.0), row("baseline", 0.95, 0.1)
    assert chosen_row(table([bad, good])).name == "forest"
    assert not beats_baseline(table([bad, good]), good)
    near = Score(value=-0.1, interval=Interval(low=-0.3, high=0.01, level=0.95))
    worse = row("baseline", 0.8, 0.1)
    assert not beats_baseline(table([good, worse.model_copy(update={"against_best": near})]), good)
    far = near.model_copy(update={"interval": near.interval.model_copy(update={"high": -0.01})})
    assert beats_baseline(table([good, worse.model_copy(update={"against_best": far})]), good)


def test_a_budget_is_a_constraint():
    (gate,) = parse_constraints(["p99<=5ms"], "accuracy", has_stable=False)
    assert (gate.metric, gate.bound.offset) == ("latency_p99_ms", 5.0)

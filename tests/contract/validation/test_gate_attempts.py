"""Gates that are run again until they pass, with the real store; the runner's outcomes are given."""

import multiprocessing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from jupyter_deploy.domain.errors import InvalidInput, StoreError
from jupyter_deploy.domain.gates.parser import parse_gate
from jupyter_deploy.domain.validation.ports import Notebook, Ran
from jupyter_deploy.domain.validation.subgroups import subgroup_notes
from jupyter_deploy.domain.validation.validation import Metric, ValidationSpec
from jupyter_deploy.store.store import SqliteStore
from jupyter_deploy.validation.judge import Statistician
from jupyter_deploy.verbs.run_plan import Planned, Problems, RunOverrides, plan
from jupyter_deploy.verbs.validation_runs import Candidate, RunOptions, Runs, Servers

PASSING, OPEN = 195, 180  # of 200 rows, against a bound of 0.9


@pytest.fixture
def store(tmp_path):
    return SqliteStore(tmp_path, "anna")


def notebook(source="", path="/p/a.ipynb"):
    return Notebook(path=Path(path), kernel="python3", language="python", cells=1, source=source, defaults={})


def run_again(store, right, *, snapshot="tumour:a", notebook_path="/p/a.ipynb", seed=0, **parameters):
    """Run the gate once on 200 rows, of which ``right`` are right; ``seed`` sets which."""
    rows = np.random.default_rng(seed).permutation(np.arange(200) < right).astype(float)
    ran = Ran("done", 0.1, (Metric(name="m", value=right / 200, n=200, rows=tuple(rows.tolist())),))
    ports = SimpleNamespace(
        validations=SimpleNamespace(run=lambda job, on_cell: ran, cancel=None), judge=Statistician(), store=store
    )
    candidate = Candidate(SimpleNamespace(tag=snapshot, digest=snapshot) if snapshot else None)
    planned = Planned(notebook(path=notebook_path), parameters, [(parse_gate("m >= 0.9"), "x")])
    [run], _ = Runs([planned], candidate, RunOptions(), ports, lambda _: None, folder=Path("/out")).all(
        Servers(None, None)
    )
    [gate] = run.gates
    return gate


def test_a_gate_that_did_not_pass_has_a_higher_level_at_the_next_attempt(store):
    assert [run_again(store, OPEN, seed=seed).attempt for seed in (1, 2, 3)] == [1, 2, 3]
    third = run_again(store, OPEN, seed=4)
    assert third.interval.level == pytest.approx(1 - 0.1 / 20)
    assert "attempt 4" in third.sentence


def test_the_same_rows_are_the_same_attempt(store):
    first = run_again(store, OPEN)
    assert [run_again(store, OPEN) for _ in range(3)] == [first] * 3
    assert first.attempt == 1


def test_a_pass_ends_the_count(store):
    run_again(store, OPEN, seed=1)
    passed = run_again(store, PASSING, seed=2)
    assert (passed.attempt, passed.verdict) == (2, "pass")
    assert run_again(store, PASSING, seed=2) == passed
    assert run_again(store, OPEN, seed=3).attempt == 1


def test_another_snapshot_or_other_data_begin_at_one(store):
    run_again(store, OPEN, seed=1)
    assert run_again(store, OPEN, seed=2, snapshot="tumour:b").attempt == 1
    assert run_again(store, OPEN, seed=2, data="may.csv").attempt == 1
    assert run_again(store, OPEN, seed=2, notebook_path="/p/b.ipynb").attempt == 1
    assert run_again(store, OPEN, seed=2).attempt == 2
    assert [run_again(store, OPEN, seed=seed, snapshot=None).attempt for seed in (1, 2)] == [1, 1]


def _attempt(home, digest):
    return SqliteStore(home, "anna").begin_attempts({"key": digest})["key"]


def test_attempts_of_many_processes_have_numbers_of_their_own(tmp_path, store):
    store.begin_attempts({"key": "0"})
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        numbers = pool.starmap(_attempt, [(tmp_path, str(digest)) for digest in range(8)])
    assert sorted(numbers) == list(range(1, 9))


def test_a_store_that_cannot_be_written_judges_all_the_same(tmp_path):
    class Full(SqliteStore):
        def begin_attempts(self, evidence):
            raise StoreError("the disk is full")

    assert run_again(Full(tmp_path, "anna"), PASSING).verdict == "pass"


def planned_gate(expression, source):
    ports = SimpleNamespace(
        validations=SimpleNamespace(
            read=lambda place, kernel: notebook(source), require_parameters=lambda notebook, parameters: None
        )
    )
    problems = Problems()
    overrides = RunOverrides(gates=[(parse_gate(expression), "the command line")])
    planned = plan([ValidationSpec(notebook="a.ipynb")], overrides, ports, problems, origin="nbdeploy.yaml")
    problems.refuse()
    return planned


@pytest.mark.parametrize(
    ("gate", "source", "hint"),
    [
        ("acuracy >= 0.9", 'metric("accuracy", rows=a)', "accuracy"),
        ("latency_p95 <= 5", "from jupyter_deploy import model", "latency_p95_ms"),
        ("recalls >= 0.9", "metric(name='recall', rows=a)\nmetric('f1', 0.9)", "recall"),
    ],
)
def test_a_typo_in_a_gate_is_refused_before_anything_runs(gate, source, hint):
    with pytest.raises(InvalidInput, match=r"a\.ipynb records no metric") as refused:
        planned_gate(gate, source)
    assert f"did you mean {hint}?" in refused.value.remedy


@pytest.mark.parametrize(
    "source",
    [
        'metric("accuracy", rows=a)\nmetric(f"acu{racy}", rows=b)',
        'metric("accuracy", rows=a)\n# checks.py records "acuracy"',
        'metric("recall", rows=a)',
        "import checks",
    ],
)
def test_a_gate_on_a_metric_that_code_may_record_is_accepted(source):
    assert len(planned_gate("acuracy >= 0.9", source)) == 1


def test_failures_among_many_subgroups_are_told_with_those_by_chance():
    def run(rates):
        gates = []
        for site, rate in enumerate(rates):
            rows = tuple((np.arange(300) < 300 * rate).astype(float).tolist())
            metric = Metric(name="m", value=float(np.mean(rows)), n=300, rows=rows, group={"site": str(site)})
            gates.append(Statistician().judge(parse_gate(f"m[site={site}] >= 0.9"), [metric], None))
        return SimpleNamespace(gates=gates)

    [note] = subgroup_notes([run([0.9] * 18 + [0.85, 0.6])])
    assert note.startswith("2 of 20 gates on subgroups fail; if all subgroups were exactly at their bounds, 0.5 would")
    assert note.endswith("shown at a false discovery rate of 10 % (e-BH): m[site=19]")
    assert subgroup_notes([run([0.9] * 20)]) == ()
    assert subgroup_notes([run([0.6] * 4)]) == ()

"""Deploy, traffic and promote refuse releases that fail gates: real notebooks, a real gateway, real requests.

The tests tell two stories, in order: 'churn' is validated by a notebook, 'live' by its traffic.
"""

import json
from types import SimpleNamespace

import httpx
import nbformat
import pytest

from jupyter_deploy.store.store import SqliteStore
from tests import notebooks
from tests.e2e.conftest import until

CHECKS = [
    "rows = 150",
    """
import numpy as np, pandas as pd
from jupyter_deploy import check, metric, model
rng = np.random.default_rng(7)
X = pd.DataFrame({"age": rng.integers(20, 80, rows), "weight": rng.normal(70, 10, rows).round(1)})
y = np.where(X["age"] + X["weight"] > 120, "yes", "no")
""",
    """
answers = model().predict(X)
metric("accuracy", rows=(answers == y))
check("only yes and no", set(answers) <= {"yes", "no"})
""",
]


GUESSES = """
import numpy as np, pandas as pd
X = pd.DataFrame({"age": [30, 64, 51], "weight": [60.5, 70.0, 81.5]})
class Guesses:
    def predict(self, X):
        return np.where(X["age"] % 3 == 1, "yes", "no")
clf = Guesses()
"""

TRUTH = [
    """
from jupyter_deploy import metric, model, recorded
live = recorded()
known = live[live["actual"].notna()]
metric("accuracy", rows=(model().predict(known[["age", "weight"]]) == known["actual"]))
"""
]


def ask_people(url, count=120):
    """Send requests for people of all ages, one each; by request id, the person."""
    people = {f"person-{n}": {"age": 20 + n % 60, "weight": 50.0 + (n * 7) % 40} for n in range(count)}
    with httpx.Client(trust_env=False, timeout=30) as client:
        for number, row in people.items():
            answer = client.post(f"{url}/predict", json={"instances": [row]}, headers={"x-request-id": number})
            assert answer.status_code == 200, answer.text
    return people


def write_checks(path, *cells):
    """A validation notebook: a parameters cell and a gate."""
    notebooks.write(path, *cells)
    document = nbformat.read(path, as_version=4)
    document.cells[0].metadata["tags"] = ["parameters"]
    document.metadata["nbdeploy"] = {"gates": ["accuracy >= 0.8"]}
    nbformat.write(document, path)
    return path


@pytest.fixture(scope="module")
def story(shared_home, snapshots):
    """A notebook whose model has learned nothing, one that validates, and models that were captured already."""
    home = shared_home
    tags, home.environment["BENTOML_HOME"] = snapshots
    return SimpleNamespace(
        home=home,
        tags=tags,
        bad=notebooks.write(home.path / "bad.ipynb", GUESSES),
        checks=write_checks(home.path / "checks.ipynb", *CHECKS),
        found={},
    )


def refused(home, *arguments, code=1):
    """The error of a refused verb: one line with the reason, and the lines below it."""
    ended = home.run(*arguments, "-o", "json", check=False)
    assert ended.returncode == code, ended.stdout + ended.stderr
    error = json.loads(ended.stderr.splitlines()[-1])["error"]
    assert error["code"] == ("gate_failed" if code == 1 else "gate_inconclusive"), error
    assert "\n" not in error["message"]
    return error


def stored(home):
    """The store itself: a look into it starts no process."""
    return SqliteStore(home.path / "nbdeploy", "tester")


def endpoint(home, name):
    return stored(home).endpoint(name)


def newest(home, name):
    return stored(home).history(name)[0]


def reports(home):
    return sorted((home.path / "nbdeploy" / "validations").iterdir())


def test_a_model_that_learned_nothing_is_refused_at_deploy_in_one_line_and_nothing_is_started(story):
    home = story.home
    error = refused(
        home, "deploy", story.bad, "--name", "churn", "--model", "clf", "--example", "X[:3]",
        "--validate", story.checks, "-p", "rows=120",
    )  # fmt: skip
    tag = error["message"].split()[0]
    story.found["bad"] = tag
    assert error["message"].startswith(f"{tag} is refused: accuracy 0.")
    assert error["message"].endswith("≥ 0.8: fail")
    assert error["details"].strip().startswith("report: file:///")
    assert f"nbdeploy deploy {tag} --validate {story.checks} -p rows=120 --force" in error["remedy"]
    assert endpoint(home, "churn") is None
    assert not (home.path / "nbdeploy" / "records").exists()


def test_a_model_that_passes_is_released_with_its_results_and_the_gates_apply_to_later_releases(story):
    home, good = story.home, story.tags[1.0]
    deployed = home.json(
        "deploy", good, "--trust", "--validate", story.checks, "-p", "rows=120", "--gate", "accuracy >= 0.85"
    )
    assert deployed["validation"]["verdict"] == "pass"
    (asked,) = endpoint(home, "churn").validations
    assert (asked.notebook, asked.parameters) == (str(story.checks), {"rows": 120})
    assert asked.gates == ("accuracy >= 0.85",)
    change = newest(home, "churn").change
    assert "validations: none → checks.ipynb [rows=120]: accuracy >= 0.85" in change
    assert change.endswith(f"{good}: ✓ 2 gates and 1 check hold")
    shown = home.run("describe", "churn").stdout
    assert "✓ 2 gates and 1 check hold" in shown
    assert "check 'only yes and no': pass" in shown
    count = len(reports(home))
    assert home.json("deploy", good)["changed"] is False, "nothing changed, and nothing was run"
    assert len(reports(home)) == count


def test_what_is_refused_is_released_all_the_same_for_a_reason_that_is_shown_for_ever(story):
    home, bad = story.home, story.found["bad"]
    assert refused(home, "deploy", bad)["message"].startswith(f"{bad} is refused")
    silent = home.run("deploy", bad, "--force", check=False)
    assert (silent.returncode, "--force needs --reason; the reason is stored" in silent.stderr) == (2, True)
    count = len(reports(home))
    forced = home.json("deploy", bad, "--force", "--reason", "to watch it")
    assert (forced["role"], forced["validation"]["forced"]) == ("shadow", "to watch it")
    assert len(reports(home)) == count, "what was found a moment ago is used again"
    assert newest(home, "churn").reason == "to watch it"
    assert newest(home, "churn").change.endswith("do not hold; forced: to watch it")
    assert stored(home).validations(endpoint="churn", limit=1)[0].forced == "to watch it"
    described = home.json("describe", "churn")["releases"]
    assert next(r for r in described if r["tag"] == bad)["validation"]["forced"] == "to watch it"


def test_a_release_is_validated_again_before_it_answers_clients_and_a_shadow_is_not(story):
    home, bad = story.home, story.found["bad"]
    home.run("traffic", "churn", "--shadow", f"{bad}=50")
    assert "accuracy" in refused(home, "traffic", "churn", "--canary", f"{bad}=10")["message"]
    assert f"nbdeploy promote churn {bad} --force" in refused(home, "promote", "churn")["remedy"]
    assert endpoint(home, "churn").traffic.stable == story.tags[1.0]
    story.checks.write_text(story.checks.read_text().replace("metric(", "raise ValueError('no data')\\nmetric("))
    error = refused(home, "promote", "churn")
    assert "checks.ipynb [rows=120] raised ValueError in cell" in error["message"]
    gone = story.checks.rename(story.checks.with_name("away.ipynb"))
    error = refused(home, "promote", "churn")
    assert "checks.ipynb [rows=120]: not run: there is no notebook" in error["message"]
    assert "cannot be run: there is no notebook" in refused(home, "deploy", bad, "--role", "canary")["message"]
    gone.unlink()
    changed = home.json("promote", "churn", "--force", "--reason", "it is only a test")
    assert "forced: it is only a test" in changed["change"]
    assert changed["validation"]["forced"] == "it is only a test"


def test_going_back_is_never_refused_and_what_held_is_not_run_again(story):
    home = story.home
    write_checks(story.checks, *CHECKS)
    assert home.json("rollback", "churn")["after"][story.tags[1.0]] == "stable 100 %"
    count = len(reports(home))
    home.run("traffic", "churn", "--shadow", f"{story.found['bad']}=0")
    home.json("deploy", story.tags[0.01], "--trust", "--validate", story.checks, "--role", "shadow")
    assert len(reports(home)) == count + 1
    promoted = home.json("promote", "churn", story.tags[0.01])
    assert promoted["validation"]["verdict"] == "pass"
    assert len(reports(home)) == count + 1


def test_validations_are_taken_away_as_a_change_like_any_other(story):
    home = story.home
    home.run("deploy", story.tags[0.01], "--validate", "off")
    assert endpoint(home, "churn").validations == ()
    assert "→ none" in newest(home, "churn").change
    home.run("promote", "churn", story.found["bad"])


def test_all_invalid_gates_are_reported_before_the_start(story):
    home = story.home
    said = home.run(
        "deploy", story.bad, "--name", "other", "--model", "clf", "--example", "X[:3]",
        "--gate", "agrement >= 0.9", "--gate", "accuracy => 1", check=False,
    )  # fmt: skip
    assert said.returncode == 2
    assert "did you mean agreement?" in said.stderr
    assert "write '>=' instead of '=>'" in said.stderr
    assert "running bad.ipynb" not in said.stderr
    unknown = home.run("deploy", story.tags[1.0], "--validate", story.checks, "-p", "row=3", check=False)
    assert (unknown.returncode, "row" in unknown.stderr) == (2, True)


def test_a_shadow_that_is_worse_on_live_traffic_is_refused_at_promote_in_one_line(story):
    home, good, worse = story.home, story.tags[1.0], story.tags[0.0]
    url = home.json("deploy", good, "--name", "live", "--gate", "agreement >= 0.9", "--trust")["url"]
    deployed = home.run("deploy", worse, "--name", "live", "--trust").stdout
    assert "is shadow at 100 %" in deployed
    assert "agreement >= 0.9: before it answers more clients" in deployed
    waiting = refused(home, "promote", "live", code=4)
    assert "on live traffic: inconclusive" in waiting["message"]
    assert waiting["remedy"].startswith("more requests may decide it")
    story.found["asked"] = ask_people(url)
    until(lambda: home.json("compare", "live")["rows"] == len(story.found["asked"]))
    error = refused(home, "promote", "live")
    assert error["message"].startswith(f"{worse} is refused: agreement 0.")
    assert error["message"].endswith("≥ 0.9 on live traffic: fail")
    assert "on live traffic: fail" in refused(home, "traffic", "live", "--canary", f"{worse}=5")["message"]
    assert endpoint(home, "live").traffic.stable == good
    changed = home.json("traffic", "live", "--canary", f"{worse}=5", "--force", "--reason", "one customer wants it")
    assert "forced: one customer wants it" in changed["change"]
    again = refused(home, "promote", "live")
    assert "on live traffic: fail" in again["message"], "a canary has no agreement: what the shadow's was counts"
    assert home.json("traffic", "live", "--canary", f"{worse}=0")["after"] == {good: "stable 100 %"}


def test_a_candidate_that_ground_truth_speaks_against_is_refused_at_promote_in_one_line(story):
    home, good, worse = story.home, story.tags[1.0], story.tags[0.0]
    actuals = [
        {"request_id": number, "row": 0, "actual": "yes" if row["age"] + row["weight"] > 120 else "no"}
        for number, row in story.found["asked"].items()
    ]
    (home.path / "actuals.json").write_text(json.dumps(actuals))
    assert home.json("feedback", "live", "--data", "@actuals.json")["accepted"] == len(actuals)
    truth = notebooks.write(home.path / "truth.ipynb", *TRUTH)
    document = nbformat.read(truth, as_version=4)
    document.metadata["nbdeploy"] = {"gates": ["accuracy >= stable - 0.1"], "traffic": "1h"}
    nbformat.write(document, truth)
    home.run("deploy", good, "--name", "live", "--validate", truth)
    error = refused(home, "promote", "live", worse)
    assert error["message"].startswith(f"{worse} is refused: accuracy 0.")
    assert "stable" in error["message"]
    assert error["message"].endswith(": fail")

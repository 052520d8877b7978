"""The gates of deploy, traffic and promote, with the real store; notebooks are read and do not run."""

import shlex

import pytest

from jupyter_deploy.domain.errors import CandidateUnhealthy, GateFailed, GateInconclusive, StartFailed
from jupyter_deploy.domain.validation.validation import ValidationSpec
from jupyter_deploy.faces.render.render import text
from tests import notebooks
from tests.gating import make_world
from tests.selections import row, table

AGREES = "agreement >= 0.99"
BESIDE_STABLE = "accuracy >= stable - 0.01"


@pytest.fixture
def world(tmp_path, monkeypatch):
    return make_world(tmp_path, monkeypatch)


def test_a_deploy_that_promotes_a_canary_or_raises_its_share_checks_its_live_gates(world):
    world.deploy("a")
    world.deploy("b", role="canary", percent=5)
    world.deploy("a", gate=AGREES)
    for more in ({"role": "stable"}, {"role": "canary", "percent": 50}):
        with pytest.raises(GateInconclusive):
            world.deploy("b", **more)
    assert world.deploy("b", role="canary", percent=2).percent == 2, "less is a way back"


def test_the_cell_of_a_deploy_that_passed_changes_nothing_when_it_is_run_again(world):
    checks = world.notebook("checks.ipynb")
    given = {"validate": checks, "gate": BESIDE_STABLE}
    world.deploy("a", **given)
    world.bad = {BESIDE_STABLE}  # as it is, narrowly, of a model that is compared with itself
    assert world.deploy("a", **given).changed is False
    assert world.deploy("a").changed is False
    world.stop()
    assert world.deploy("a").changed is True
    world.bad = set()
    world.deploy("b")
    world.promote()
    world.bad = {BESIDE_STABLE}
    count = len(world.ran)
    assert world.deploy("b").changed is False
    world.stop()
    assert world.deploy("b").changed is True
    assert len(world.ran) == count, "it was not even run again"
    with pytest.raises(GateFailed):
        world.deploy("c")


def test_a_canarys_shadow_records_count_only_against_the_present_stable_release(world):
    world.deploy("a", gate=AGREES)
    world.deploy("b")
    world.agreement = 0.999
    world.traffic(canary={"tumour:b": 10})
    more = world.traffic(canary={"tumour:b": 20})
    (line,) = more.validation.lines
    assert (line.verdict, "as a shadow, on 20" in line.sentence) == ("pass", True)
    assert world.traffic(canary={"tumour:b": 30}).validation.lines == (line,), "it says when that was, and not oftener"
    world.deploy("c", role="stable", force=True, reason="other answers are wanted")
    with pytest.raises(GateInconclusive, match="a canary has no agreement"):
        world.traffic(canary={"tumour:b": 40})


def test_a_gate_that_no_request_can_decide_names_a_command_that_can(world):
    world.deploy("a", gate=AGREES)
    with pytest.raises(GateInconclusive) as refused:
        world.deploy("b", role="canary")
    assert "deploy it without --role first: it starts as a shadow" in str(refused.value)
    world.deploy("b", role="canary", force=True, reason="a test")
    with pytest.raises(GateInconclusive) as refused:
        world.traffic(canary={"tumour:b": 20})
    assert "make it a shadow first: 'nbdeploy traffic tumour --shadow tumour:b=100'" in refused.value.remedy
    assert "more requests" not in refused.value.remedy
    world.traffic(shadow={"tumour:b": 100})
    with pytest.raises(GateInconclusive) as refused:
        world.promote()
    assert refused.value.remedy.startswith("more requests may decide it")


def test_nothing_is_called_validating_where_nothing_is(world):
    world.deploy("a")
    shadow = world.deploy("b", validate=world.notebook("live.ipynb", traffic="1h"))
    assert "wait for recorded requests: before it answers more clients" in text(shadow)
    assert not world.ran
    assert not any("validating" in step.title for step in world.told)


def test_a_change_that_failed_is_not_recorded_as_forced(world):
    world.deploy("a", validate=world.notebook("checks.ipynb", gates=["accuracy >= 0.9"]))
    world.bad = {"accuracy >= 0.9"}
    target = world.ports.targets["local"]
    target.refuses = StartFailed("no memory")
    forced = {"force": True, "reason": "a customer waits"}
    with pytest.raises(StartFailed):
        world.deploy("b", **forced)
    assert [v.forced for v in world.validations()] == [None, None]
    target.refuses = None
    assert world.deploy("b", **forced).validation.forced == "a customer waits"
    assert [v.forced for v in world.validations()] == ["a customer waits", None]
    target.refuses = StartFailed("no memory")
    with pytest.raises(CandidateUnhealthy):
        world.promote(force=True, reason="now or never")
    assert world.validations()[0].forced == "a customer waits"
    target.refuses = None
    world.promote(force=True, reason="now or never")
    assert world.validations()[0].forced == "now or never"


def test_the_way_around_a_refusal_does_all_that_was_refused(world):
    checks = world.notebook("checks.ipynb", "rows, api_key = 5, ''", gates=["accuracy >= 0.9"])
    world.deploy("a")
    world.bad = {"accuracy >= 0.9"}
    with pytest.raises(GateFailed) as refused:
        world.deploy(
            "b", role="canary", percent=2.5, keep=True, record="meta", validate=checks, gate="rmse <= 5", trust=True,
            waive=("side-effects",), reason="they are wanted", parameter={"rows": 7, "api_key": "hunter2"},
        )  # fmt: skip
    before, _, typed = refused.value.remedy.partition(": nbdeploy ")
    assert before.endswith("all the same (type api_key again)")
    assert shlex.split(typed) == [
        "deploy", "tumour:b", "--role", "canary", "--percent", "2.5", "--keep", "--waive", "side-effects",
        "--validate", checks, "--gate", "rmse <= 5", "-p", "rows=7", "-p", "api_key=…", "--record", "meta", "--trust",
        "--force", "--reason", "…",
    ]  # fmt: skip
    chosen = table([row("forest", 0.9, 1.0).model_copy(update={"tag": "tumour:b"})])
    with pytest.raises(GateFailed) as refused:
        world.deploy("b", validate=checks, choice=chosen)
    assert ' --choice @table.json --force --reason "…"; table.json is the table' in refused.value.remedy
    world.bad = set()
    world.deploy("b", validate=world.notebook("checks.ipynb", gates=["accuracy >= 0.9"]))
    world.notebook("checks.ipynb", "changed = 1", gates=["accuracy >= 0.9"])
    world.bad = {"accuracy >= 0.9"}
    with pytest.raises(GateFailed) as refused:
        world.traffic(canary={"b": 5}, record="meta")
    assert "'nbdeploy traffic tumour --canary b=5 --record meta --force" in refused.value.remedy
    with pytest.raises(GateFailed) as refused:
        world.promote(if_revision=2)
    assert "'nbdeploy promote tumour tumour:b --if-revision 2 --force" in refused.value.remedy


def test_nobody_gets_past_gates_by_naming_others_where_the_release_gains_clients(world):
    checks = world.notebook("checks.ipynb", 'metric("accuracy", rows=[])')
    world.deploy("a", validate=checks, gate="accuracy >= 0.9")
    world.bad = {"accuracy >= 0.9"}
    for others in ({"validate": "off"}, {"validate": checks, "gate": "accuracy >= 0.1"}):
        with pytest.raises(GateFailed, match=r"accuracy >= 0.9: fail"):
            world.deploy("b", role="canary", **others)
    forced = world.deploy("b", role="canary", validate="off", force=True, reason="they are wrong")
    assert forced.validation.forced == "they are wrong"
    assert "checks.ipynb: accuracy >= 0.9 → none" in text(forced)
    assert world.endpoint().validations == ()


def test_gates_without_notebooks_are_added_to_the_present_ones(world):
    checks = world.notebook("checks.ipynb", 'metric("accuracy", rows=[])')
    world.deploy("a", validate=checks, gate="accuracy >= 0.8")
    added = world.deploy("b", gate=(AGREES, "accuracy >= 0.9"))
    of_notebook, live = world.endpoint().validations
    assert of_notebook.gates == ("accuracy >= 0.8", "accuracy >= 0.9")
    assert live.gates == (AGREES,)
    assert "checks.ipynb: accuracy >= 0.8, accuracy >= 0.9 and live traffic: agreement >= 0.99" in text(added)
    world.deploy("b", gate=AGREES)
    assert world.endpoint().validations == (of_notebook, live), "once"


def test_a_file_replaces_only_what_stood_in_it(world, monkeypatch):
    monkeypatch.chdir(world.path)
    world.ports.specs = (ValidationSpec(gates=(AGREES,)),)
    world.deploy("a")
    world.ports.specs = (ValidationSpec(gates=("error_rate <= 0.1",)),)
    changed = world.deploy("b")
    assert "live traffic: agreement >= 0.99 → live traffic: error_rate <= 0.1" in text(changed)
    (world.path / "elsewhere").mkdir()
    monkeypatch.chdir(world.path / "elsewhere")
    world.ports.specs = (ValidationSpec(gates=("error_rate <= 0.9",)),)
    kept = world.deploy("b")
    assert (kept.changed, kept.passed_over) == (False, str(world.path / "elsewhere" / "nbdeploy.yaml"))
    assert "those that the endpoint has, and not those of" in text(kept)
    assert world.endpoint().validations[0].gates == ("error_rate <= 0.1",)
    world.deploy("b", gate="error_rate <= 0.2")
    world.promote(force=True, reason="a test")
    monkeypatch.chdir(world.path)
    assert world.deploy("c").passed_over, "options named them since"
    assert len(world.endpoint().validations[0].gates) == 2
    world.ports.specs = (ValidationSpec(gates=("error_rate <= 0.1",)),)
    assert world.deploy("c").passed_over == "", "it asks nothing that is not asked"


def test_a_first_deploy_reports_the_gates_that_do_not_apply_yet(world):
    asking = world.notebook("live.ipynb", gates=["accuracy >= 0.5"], traffic="1h")
    checks = world.notebook("checks.ipynb", gates=["accuracy >= 0.8", BESIDE_STABLE])
    page = text(world.deploy("a", validate=(checks, asking), gate="error_rate_difference <= 0.1"))
    assert f"{BESIDE_STABLE}: from the next release on, compared with stable" in page
    assert "live.ipynb: from the next release on, on recorded requests" in page
    assert "error_rate_difference <= 0.1: of the releases that follow, before they answer clients" in page
    (ran,) = world.ran
    assert [gate.expression for one in ran.planned for gate, _ in one.gates] == ["accuracy >= 0.8"]
    assert "waits" not in text(world.deploy("a"))


def test_figures_of_what_notebooks_ask_are_theirs_where_a_line_names_both(world):
    quiet = notebooks.write(world.path / "quiet.ipynb", "from jupyter_deploy import check")
    asking = world.notebook("asking.ipynb")
    gates = ("error_rate <= 0.01", AGREES, "latency_p95_ms <= 50", "error_rate_difference <= 0.1")
    page = text(world.deploy("a", validate=(str(quiet), asking), gate=gates))
    found = [spec.gates for spec in world.endpoint().validations]
    assert found == [(), gates[:3], gates[3:]]
    assert [gate.expression for one in world.ran[0].planned for gate, _ in one.gates] == [gates[0], gates[2]]
    assert f"{AGREES}: from the next release on, compared with stable" in page
    world.deploy("b", gate="error_rate <= 0.02")
    assert world.endpoint().validations[-1].gates == (gates[3], "error_rate <= 0.02"), "alone: of live traffic"


def test_a_gate_that_passed_with_others_or_was_forced_is_not_checked_again(world):
    checks = world.notebook("checks.ipynb", 'metric("accuracy", rows=[])')
    world.deploy("a", validate=checks, gate=BESIDE_STABLE)
    stricter = {"validate": checks, "gate": "accuracy >= stable"}
    assert len(world.deploy("b", role="canary", **stricter).validation.lines) == 2
    assert world.deploy("b", role="canary", **stricter).changed is False
    world.bad = {"accuracy >= stable"}
    world.deploy("c", force=True, reason="a test")
    world.promote(tag="tumour:c", force=True, reason="a test")
    assert world.deploy("c").changed is False

"""Gates of an endpoint without running anything: the changes that require them, their words, and their lifetime."""

from datetime import UTC, datetime

import pytest

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.inference import Comparison, Estimate, Interval, VariantSummary
from jupyter_deploy.domain.gates.figures import is_figure, judge_live, require_figure
from jupyter_deploy.domain.gates.parser import parse_gate
from jupyter_deploy.domain.release.change_words import difference_in_words
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.secret_names import HIDDEN
from jupyter_deploy.domain.validation.validated import ResultLine, Validated, lines_of
from jupyter_deploy.domain.validation.validation import CellError, Check, GateResult, Run, Validation, ValidationSpec
from tests.releases import release

ONE, TWO, THREE = release("one"), release("two"), release("three")
SHADOWED = Endpoint.first(ONE).with_release(TWO)
AT = datetime(2026, 1, 1, tzinfo=UTC)
ASKED = (ValidationSpec(notebook="/home/ada/checks.ipynb", parameters={"rows": 5}, gates=("accuracy >= 0.9",)),)


def validated(verdict="pass", forced=None, **more):
    line = ResultLine(verdict=verdict, sentence=f"accuracy: {verdict}")
    return Validated(id="1", at=AT, verdict=verdict, said="1 gate", lines=(line,), forced=forced, **more)


def comparison(agreement=None, *, paired=True, rows=300):
    side = VariantSummary(
        release="x", requests=300, rows=rows, errors=0, error_rate=None, latency_p50_ms=1.0, latency_p95_ms=1.0
    )
    estimate = agreement and Estimate(value=agreement[0], interval=Interval(low=agreement[1], high=agreement[2]), n=300)
    return Comparison(
        endpoint="tumour", stable=ONE.tag, candidate=TWO.tag, role="shadow" if paired else "canary", paired=paired,
        since=None, pairs=rows, rows=rows, mirrored=rows, coverage=None, agreement=estimate,
        sides={"stable": side, "candidate": side}, error_difference=None, latency_difference_ms=None,
        verdict="agrees", reason="",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("after", "gaining"),
    [
        (SHADOWED.promoted(), TWO.tag),
        (SHADOWED.with_traffic({}, {"two": 10}), TWO.tag),
        (SHADOWED.with_traffic({"two": 50}, {}), None),
        (SHADOWED.with_traffic({"two": 0}, {}), None),
        (SHADOWED.with_release(THREE), None),
        (SHADOWED.with_release(THREE, role="canary"), THREE.tag),
    ],
)
def test_releases_that_gain_clients_are_validated_and_shadows_are_not(after, gaining):
    assert SHADOWED.gaining(after) == gaining


def test_a_canary_is_validated_when_its_share_rises_and_not_when_it_falls():
    canary = SHADOWED.with_traffic({}, {"two": 20})
    assert canary.gaining(canary.with_traffic({}, {"two": 30})) == TWO.tag
    assert canary.gaining(canary.with_traffic({}, {"two": 10})) is None
    assert canary.gaining(canary.with_traffic({}, {"two": 0})) is None


def test_an_endpoints_gates_stay_with_every_change_and_a_change_of_them_is_shown():
    asking = SHADOWED.validating(ASKED)
    assert asking.promoted().validations == asking.stopped().validations == ASKED
    assert asking.with_release(THREE).with_traffic({}, {"three": 5}).validations == ASKED
    told = difference_in_words(SHADOWED, asking)
    assert told == "validations: none → checks.ipynb [rows=5]: accuracy >= 0.9"
    assert difference_in_words(asking, asking.validating(())).endswith("accuracy >= 0.9 → none")


def test_a_gate_with_a_secret_parameter_is_shown_without_it():
    asked = ValidationSpec(notebook="/x/checks.ipynb", parameters={"password": "hunter2", "rows": 5})
    assert asked.without_secrets.parameters == {"password": HIDDEN, "rows": 5}
    assert "hunter2" not in asked.words


def test_going_back_brings_gates_back_that_were_taken_away_and_takes_none_away():
    asking = SHADOWED.validating(ASKED)
    assert asking.rolled_back_to(SHADOWED).validations == ASKED
    assert asking.validating(()).rolled_back_to(asking).validations == ASKED


def test_a_release_that_was_forced_once_says_so_for_ever():
    forced = SHADOWED.validated(TWO.tag, validated("fail", "a customer waits"))
    later = forced.promoted().validated(TWO.tag, validated())
    assert later.release("two").validation.words == "✓ 1 gate; forced earlier: a customer waits"
    assert forced.release("two").validation.words == "✗ 1 gate; forced: a customer waits"
    assert later.validated(TWO.tag, None) == later


def test_the_results_of_a_validation_are_sentences_with_failures_first():
    gate = GateResult(expression="a > 1", verdict="pass", sentence="a 2 > 1: pass")
    live = GateResult(expression="b > 1", verdict="inconclusive", sentence="b > 1: inconclusive")
    raised = Run(notebook="/x/two.ipynb", status="raised", error=CellError(cell=3, ename="ValueError", evalue="no"))
    done = Run(notebook="/x/one.ipynb", status="done", checks=(Check(name="sane", passed=False, detail="5 rows"),))
    found = lines_of(
        Validation(
            id="1", at=AT, runs=(done.model_copy(update={"gates": (gate,)}), raised), live=(live,), verdict="fail"
        )
    )
    assert [line.sentence for line in found] == [
        "check 'sane': 5 rows: fail",
        "two.ipynb raised ValueError in cell 3: no",
        "b > 1: inconclusive",
        "a 2 > 1: pass",
    ]


@pytest.mark.parametrize(
    ("agreement", "verdict"),
    [((0.995, 0.991, 0.999), "pass"), ((0.5, 0.4, 0.6), "fail"), ((0.99, 0.9, 1), "inconclusive")],
)  # fmt: skip
def test_a_gate_on_live_traffic_is_judged_by_the_whole_interval(agreement, verdict):
    found = judge_live(parse_gate("agreement >= 99%"), comparison(agreement))
    assert (found.verdict, found.origin) == (verdict, "live traffic")
    assert found.sentence.startswith(f"agreement {agreement[0]:.4g} [")
    assert found.sentence.endswith(f"≥ 0.99 on live traffic: {verdict}")


def test_a_gate_on_live_traffic_waits_for_its_rows_and_for_any_at_all():
    gate = parse_gate("agreement >= 0.9 over 400")
    found = judge_live(gate, comparison((0.99, 0.98, 1.0)))
    assert found.sentence.endswith("inconclusive, 300 of 400 rows so far")
    assert judge_live(gate, comparison((0.99, 0.98, 1.0), rows=400)).verdict == "pass"
    none = judge_live(parse_gate("agreement >= 0.9"), comparison(None, rows=0))
    assert none.sentence == "agreement ≥ 0.9 on live traffic: inconclusive, too few requests so far"


def test_a_canary_has_no_agreement_to_be_judged():
    with pytest.raises(InvalidInput, match="a canary has no agreement"):
        judge_live(parse_gate("agreement >= 0.9"), comparison(paired=False))


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("agreement >= stable", "compares with stable already"),
        ("agreement[sex=F] >= 0.9", "no subgroups"),
        ("agreement >= 99", "did you mean 99%"),
    ],
)
def test_a_gate_that_no_comparison_can_be_judged_by_is_refused(expression, why):
    assert is_figure(parse_gate(expression))
    with pytest.raises(InvalidInput, match=why):
        require_figure(parse_gate(expression))

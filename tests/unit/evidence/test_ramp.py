"""The state machine of a ramp, and by simulation how often it is wrong and how soon it is right."""

from datetime import timedelta

import numpy as np
import pytest

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.verdict import SLOWER
from jupyter_deploy.domain.ramp.evidence import (
    Events,
    RampEvidence,
    RequiredFigure,
    SegmentEvidence,
    StepCounts,
    guardrails,
)
from jupyter_deploy.domain.ramp.plan import GUARDRAILS, RampPlan, parse_steps
from jupyter_deploy.domain.ramp.ramp import decide, follow
from jupyter_deploy.domain.ramp.state import RampState, abort, begin, pause, resume, supersede
from scripts.statistics.ramps import START, Traffic, ramped

HALF_HOUR = timedelta(minutes=30)
PLAN = RampPlan(steps="1,5,20,50,100")


def parts(candidate, stable):
    """Events of which each is one release's alone."""
    return {1.0: candidate, 0.0: stable}


def counts(percent, requests=100_000, clusters=500, **more):
    """A step without errors in which the candidate got exactly its share."""
    candidate = round(requests * percent / 100)
    return StepCounts(
        percent=percent,
        requests=Events(candidate, requests - candidate),
        clusters=clusters,
        outcomes={0.0: requests},
        **more,
    )


def flawless(percent, requests=100_000, errors=50):
    """A step with a few errors, of which each has its share."""
    share, of_candidate = percent / 100, round(errors * percent / 100)
    outcomes = {1.0: of_candidate, -share / (1 - share): errors - of_candidate, 0.0: requests - errors}
    given = counts(percent, requests, events={"errors": parts(of_candidate, errors - of_candidate)})
    return StepCounts(**{**given.__dict__, "outcomes": outcomes})


def evidence(*percents, **more):
    return RampEvidence(tuple(flawless(percent) for percent in percents), **more)


def test_a_good_candidate_is_advanced_step_by_step_and_promoted():
    state, now, actions = begin(PLAN, "tumour:b", START), START, []
    for _ in range(4):
        now += HALF_HOUR
        decision = decide(state, evidence(*PLAN.steps[: state.step + 1]), now)
        actions.append((state.percent, decision.action))
        state = follow(state, decision, now)
    assert actions == [(1, "advance"), (5, "advance"), (20, "advance"), (50, "promote")]
    assert (state.phase, state.percent, state.ended) == ("finished", 100, True)


def test_a_ramp_without_100_ends_at_its_last_share():
    state = begin(RampPlan(steps=(10,)), "b", START)
    decision = decide(state, evidence(10), START + HALF_HOUR)
    assert decision.action == "finish"
    state = follow(state, decision, START + HALF_HOUR)
    assert (state.phase, state.percent) == ("finished", 10)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"minutes": 29}, "waits for 30 min in this step: 29 min"),
        ({"clusters": 99}, "waits for 100 clusters: 99"),
        ({"requests": Events(700, 99_300)}, "it got 700 of 100000 requests, which are not 1 %"),
        ({"outcomes": {0.0: 2_000}}, "waits until 1% more errors than stable are excluded"),
        ({"required": RequiredFigure("agreement >= 0.99", "undecided")}, "waits for agreement >= 0.99: undecided"),
        ({"phase": "paused"}, "is paused"),
    ],
)
def test_a_step_ends_only_when_each_of_its_conditions_is_met(changes, why):
    given = dict(changes)
    minutes, required = given.pop("minutes", 30), given.pop("required", None)
    state = begin(PLAN, "b", START).model_copy(update={"phase": given.pop("phase", "running")})
    step = StepCounts(**{**flawless(1).__dict__, **given})
    decision = decide(state, RampEvidence((step,), (required,) if required else ()), START + timedelta(minutes=minutes))
    assert (decision.action, decision.reason) == ("hold", decision.reason)
    assert decision.reason.startswith(why)
    assert follow(state, decision, START) == state.model_copy(update={"reason": decision.reason})


def test_without_any_request_a_ramp_waits():
    state = begin(PLAN, "b", START)
    assert decide(state, RampEvidence(), START + timedelta(days=9)).action == "hold"


@pytest.mark.parametrize("name", GUARDRAILS)
@pytest.mark.parametrize("phase", ["running", "paused"])
def test_a_broken_guardrail_rolls_back_a_paused_ramp_too(name, phase):
    state = begin(PLAN, "b", START).model_copy(update={"phase": phase})
    step = StepCounts(**{**flawless(5).__dict__, "events": {name: parts(12, 8)}, "slower": SLOWER})
    decision = decide(state, RampEvidence((step,)), START)
    assert decision.action == "roll back"
    assert f"b is worse: {name}" in decision.reason
    assert any(line.startswith(name) for line in decision.evidence)
    state = follow(state, decision, START)
    assert (state.phase, state.percent) == ("rolled back", 0)


def test_a_candidate_that_is_shown_to_be_a_little_slower_stays():
    state = begin(PLAN, "b", START)
    step = StepCounts(**{**flawless(5).__dict__, "events": {"slow answers": parts(900, 5000)}, "slower": 1.1})
    decision = decide(state, RampEvidence((step,)), START + HALF_HOUR)
    assert decision.action == "advance"
    (line,) = [line for line in decision.evidence if line.startswith("slow answers")]
    assert line.endswith("but its 95th percentile is 1.1 times stable's, and 1.5 times is slow")
    slower = StepCounts(**{**step.__dict__, "slower": SLOWER})
    assert decide(state, RampEvidence((slower, step)), START + HALF_HOUR).action == "roll back"


def test_the_opposite_of_a_required_figure_rolls_back():
    opposite = RequiredFigure("latency_p50_difference_ms <= 5", "not met", opposite=True)
    plan = RampPlan(steps=(10, 100), require=(opposite.expression,))
    decision = decide(begin(plan, "b", START), evidence(10, required=(opposite,)), START)
    assert decision.action == "roll back"
    assert plan.guardrail_level == pytest.approx(1 - 0.05 / 4)


@pytest.mark.parametrize(("shadow_first", "limit"), [(False, 80), (True, 100)])
def test_a_candidate_that_is_worse_in_some_segment_goes_back(shadow_first, limit):
    """With --shadow-first they are a guardrail in each of two roles, so the limit is larger."""
    state = begin(RampPlan(steps=(10, 100), segments=("region",), shadow_first=shadow_first), "b", START)
    for e_value, action in ((limit - 1, "hold"), (limit + 1, "roll back")):
        decision = decide(state, evidence(10, segments=SegmentEvidence(e_value, "region: north")), START)
        assert decision.action == action
        assert f"segments, most in region: north: evidence {e_value} of {limit}" in decision.evidence
    how = "differs" if shadow_first else "is worse"
    assert decision.reason.startswith(f"b {how}: segments, most in region: north")


def test_the_evidence_of_a_guardrail_goes_on_across_the_steps():
    """Neither step alone has enough of it."""
    one = StepCounts(**{**flawless(5).__dict__, "events": {"errors": parts(5, 10)}})
    two = StepCounts(**{**flawless(20).__dict__, "events": {"errors": parts(9, 8)}})
    state = begin(PLAN, "b", START)
    assert [decide(state, RampEvidence((step,)), START).action for step in (one, two)] == ["hold", "hold"]
    assert decide(state, RampEvidence((one, two)), START).action == "roll back"


def test_errors_in_ten_minutes_with_none_of_stable_are_a_hard_stop():
    state = begin(RampPlan(steps=(50, 100)), "b", START)
    for minutes, action in ((Events(9, 0), "hold"), (Events(10, 1), "hold"), (Events(10, 0), "hard stop")):
        step = StepCounts(**{**flawless(50).__dict__, "error_minutes": minutes})
        decision = decide(state, RampEvidence((step,)), START)
        assert decision.action == action
    assert follow(state, decision, START).phase == "rolled back"


def test_a_ramp_may_begin_as_a_shadow():
    state = begin(RampPlan(steps=(1, 100), shadow_first=True), "b", START)
    assert (state.phase, state.percent) == ("shadow", 0)
    later = START + HALF_HOUR
    assert decide(state, RampEvidence(shadow="inconclusive"), later).action == "hold"
    assert decide(state, RampEvidence(shadow="differs"), later).action == "roll back"
    decision = decide(state, RampEvidence(shadow="agrees"), later)
    assert decision.action == "advance"
    assert (follow(state, decision, later).phase, follow(state, decision, later).percent) == ("running", 1)


def test_a_ramp_is_paused_resumed_and_aborted():
    state = begin(RampPlan(steps=(1, 100), shadow_first=True), "b", START)
    paused = pause(state, "a release party")
    assert (paused.phase, paused.reason) == ("paused", "a release party")
    later = START + timedelta(hours=3)
    again = resume(paused, later)
    assert (again.phase, again.since) == ("shadow", later)
    assert decide(again, RampEvidence(shadow="agrees"), later).action == "hold", "its step begins anew"
    ended = abort(paused, "no", later)
    assert (ended.phase, ended.percent, ended.ended) == ("aborted", 0, True)
    for change in (lambda: pause(paused, ""), lambda: resume(state, later), lambda: abort(ended, "", later)):
        with pytest.raises(InvalidInput, match="the ramp of b"):
            change()
    superseded = supersede(again.model_copy(update={"step": 0}), "revision 9 is by anna")
    assert (superseded.ended, superseded.percent) == (True, 1)


def test_the_same_state_and_evidence_decide_the_same_after_a_kill():
    state = follow(begin(PLAN, "b", START), decide(begin(PLAN, "b", START), evidence(1), START + HALF_HOUR), START)
    again = RampState.model_validate_json(state.model_dump_json())
    assert again == state
    assert decide(again, evidence(1, 5), START + HALF_HOUR) == decide(state, evidence(1, 5), START + HALF_HOUR)


@pytest.mark.parametrize("text", ["", "5,1", "0,5", "1,101", "1,x", "5,5", "nan"])
def test_steps_are_percentages_that_rise(text):
    with pytest.raises(InvalidInput, match="the steps"):
        parse_steps(text)
    with pytest.raises(InvalidInput, match="no step below 100"):
        begin(RampPlan(steps=(100,)), "b", START)


def test_an_equal_candidate_is_promoted_and_seldom_rolled_back():
    ends = [ramped(Traffic(seed)).phase for seed in range(60)]
    assert ends.count("rolled back") <= 5  # at most 5 % by design
    assert ends.count("finished") >= 54


@pytest.mark.parametrize(
    "worse",
    [{"errors": (0.002, 0.02)}, {"slow": (0.05, 0.15)}, {"refused": (0.01, 0.03)}],
    ids=["errors", "slow", "no"],
)
def test_a_worse_candidate_is_rolled_back_before_it_does_much_harm(worse):
    """2 % errors, 10 % slow answers more, 2 % refusals more."""
    ramps = [Traffic(seed, **worse) for seed in range(20)]
    assert {ramped(traffic).phase for traffic in ramps} == {"rolled back"}
    assert np.mean([sum(traffic.bad_answers(name) for name in GUARDRAILS) for traffic in ramps]) < 200


def test_a_guardrails_limit_is_shared_by_all():
    assert [one.limit for one in guardrails(PLAN, evidence(1))] == pytest.approx([60] * 3)

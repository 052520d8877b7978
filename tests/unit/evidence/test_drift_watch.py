"""The watch over a release: what counts as a unit, the reference of the first requests, quality, requirements."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from jupyter_deploy.domain.drift.drift import DriftRequest, judged
from jupyter_deploy.domain.drift.report import drift_of
from jupyter_deploy.domain.drift.watch import CLUSTER_BITS, Watch, WatchState, reference_of
from jupyter_deploy.domain.drift.words import assumption_in_words, moved_between
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.inference import Record
from jupyter_deploy.domain.monitoring.events import drift_events
from jupyter_deploy.faces.render.drift_page import drift_page, picture
from jupyter_deploy.faces.render.outcomes import of_drift
from jupyter_deploy.faces.render.page import as_html, as_text

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def row(dice, age=45.0, plan=None):
    return {"age": dice.gauss(age, 10), "plan": plan or dice.choice(["basic", "basic", "pro"])}


def reference(rows=2_000):
    dice = random.Random(1)
    inputs = [row(dice) for _ in range(rows)]
    answers = ["yes" if one["age"] > 50 else "no" for one in inputs]
    return reference_of({"inputs": inputs, "answers": answers}, {"inputs": "training", "answers": "training"})


def test_values_beyond_the_reference_have_words_and_a_category_of_such_a_name_stays_one():
    ends = ["0 to 1", "1 to 2", "below", "above", "missing"]
    assert moved_between(ends, [0.5, 0.5, 0, 0, 0], [0.3, 0.3, 0, 0.4, 0]) == (
        "more above the reference's range (0 % to 40 %)"
    )
    labels = ["above", "other", "new", "missing"]
    assert moved_between(labels, [0.4, 0.3, 0.3, 0], [0.9, 0.05, 0.05, 0]) == "more of above (40 % to 90 %)"
    assert moved_between(labels, [0.5, 0.5, 0, 0], [0.4, 0.4, 0.2, 0]) == "more new values (0 % to 20 %)"


class World:
    """A watch and the records that it gets."""

    def __init__(self, known=None):
        self.state = WatchState(reference=known)
        self.watch = Watch(self.state, bytearray(CLUSTER_BITS // 8))
        self.dice = random.Random(2)
        self.number = 0

    def add(self, *rows, role="stable", status=200, outputs=None, **fields):
        answers = outputs or ["yes" if (one.get("age") or 0) > 50 else "no" for one in rows]
        self.watch.add(
            Record(
                request_id=f"r{self.number}",
                pair_id=f"p{self.number}",
                ts=NOON + timedelta(seconds=self.number),
                endpoint="churn",
                release="churn:aaa",
                role=role,
                status=status,
                latency_ms=1.0,
                rows=len(rows),
                inputs=list(rows) if status == 200 else None,
                outputs=answers if status == 200 else None,
                **({"inputs_digest": f"d{self.number}"} | fields),
            )
        )
        self.number += 1

    def many(self, count, **given):
        for _ in range(count):
            self.add(row(self.dice, **given))

    def look(self):
        return drift_of(self.state, "churn", "churn:aaa")


def test_a_quiet_stream_has_no_alarm_and_a_shift_is_named_with_its_begin():
    world = World(reference())
    world.many(400)
    assert (world.look().drift_alarms, world.look().quality_alarms) == (0, 0)
    world.many(300, age=55)
    drift = world.look()
    assert drift.drift_alarms >= 1
    part = next(part for alarm in drift.alarms for part in alarm.features if part.name == "age")
    assert 300 <= int(part.since_request[1:]) <= 500
    assert drift.features[0].name in ("age", "answer")
    assert next(one for one in drift.features if one.name == "age").jensen_shannon > 0
    text = as_text(drift_page(drift))
    assert "age more of" in text
    assert "nbdeploy logs churn --since" in text
    assert "no rate of false alarms is promised" in text
    assert "<table>" in as_html(drift_page(drift))


def test_only_answers_of_clients_requests_count():
    world = World(reference())
    world.add(row(world.dice), role="probe")
    world.add(row(world.dice), role="direct")
    world.add(status=500)
    world.add(status=422)
    world.add(row(world.dice))
    drift = world.look()
    assert (drift.requests, drift.clusters) == (3, 1)
    refused = next(one for one in drift.quality if one.what == "refused")
    assert (refused.count, refused.first_request, refused.shown) == (1, "r3", False)


def test_requests_of_one_key_and_of_equal_inputs_are_one_cluster():
    world = World(reference())
    for _ in range(5):
        world.add(row(world.dice), cluster="ada")
        world.add({"age": 30.0, "plan": "pro"}, inputs_digest="same")
    world.add(row(world.dice), row(world.dice))
    assert (world.look().requests, world.look().clusters, world.look().rows) == (11, 3, 12)


def test_equal_inputs_count_each_where_the_reference_has_equal_rows():
    rows = [{"plan": "basic"}, {"plan": "pro"}] * 500
    world = World(reference_of({"inputs": rows}, {"inputs": "training"}))
    for _ in range(300):
        world.add({"plan": "pro"}, inputs_digest="same")
    assert world.look().clusters == 300
    assert world.look().drift_alarms >= 1


def test_the_rows_of_a_request_are_one_unit():
    world = World(reference())
    for _ in range(200):
        world.add(*[row(world.dice) for _ in range(20)])
    assert world.look().clusters == 200
    assert world.look().drift_alarms == 0
    assert sum(world.state.run.totals[0]) == pytest.approx(200)


def test_the_first_requests_become_the_missing_reference():
    world = World()
    world.many(999)
    waiting = world.look()
    assert waiting.state == "collecting"
    assert any("999 of 1,000" in note for note in waiting.notes)
    assert of_drift(waiting) == 4
    world.many(301)
    drift = world.look()
    assert drift.state == "watching"
    words = "the first 1,000 recorded requests, of 17 min, without their times"
    assert drift.origin == dict.fromkeys(("inputs", "answers"), words)
    assert drift.hours is None
    assert "no rate of false alarms is promised for it" in assumption_in_words(drift)
    assert world.state.pending == world.state.pending_times == {"inputs": [], "answers": []}
    assert drift.drift_alarms == 0
    world.many(300, age=60)
    assert world.look().drift_alarms >= 1
    assert world.state.reference.of_training is None


def test_missing_answers_of_the_reference_are_collected_while_inputs_are_watched():
    dice = random.Random(3)
    known = reference_of({"inputs": [row(dice) for _ in range(1_000)]}, {"inputs": "training"})
    world = World(known)
    world.many(1_200)
    drift = world.look()
    assert drift.origin["inputs"] == "training"
    assert "first" in drift.origin["answers"]
    assert world.state.reference.recorded == ("answers",)
    assert set(world.state.reference.of_training.columns) == {"inputs"}


def test_quality_alarms_have_a_count_and_the_first_request():
    world = World(reference())
    world.many(200)
    for _ in range(60):
        world.add({"age": None, "plan": "gold"})
        world.add({"age": 400.0, "plan": "pro"})
    for _ in range(40):
        world.add(status=422)
    found = {(one.feature, one.what): one for one in world.look().quality}
    assert {key for key, one in found.items() if one.shown} >= {
        ("age", "missing"), ("plan", "new"), ("age", "out of range"), ("", "refused")
    }  # fmt: skip
    assert (found["plan", "new"].count, found["plan", "new"].first_request) == (60, "r200")
    assert found["age", "out of range"].first_request == "r201"
    reasons = [event["data"]["reason"] for event in drift_events(world.look())]
    assert {reason.partition(": ")[2] for reason in reasons if reason.startswith(("refused", "plan: new"))} == {
        "40, 11.1% of the requests",
        "new: 60, 18.8% of the clusters",
    }


def test_a_few_rare_values_are_counted_and_are_no_alarm():
    world = World(reference())
    world.many(1_000)
    world.add({"age": 200.0, "plan": "pro"})
    (one,) = [one for one in world.look().quality if one.what == "out of range" and one.first_request == "r1000"] or [
        one for one in world.look().quality if one.what == "out of range"
    ]
    assert not one.shown


def test_a_feature_that_stays_constant_is_an_alarm():
    world = World(reference())
    world.many(100)
    for _ in range(40):
        world.add({"age": 41.0, "plan": world.dice.choice(["basic", "pro"])})
    stale = [one for one in world.look().quality if one.what == "constant"]
    assert [(one.feature, one.first_request) for one in stale] == [("age", "r100")]


def test_redacted_columns_are_not_watched():
    world = World(reference())
    for _ in range(200):
        world.add({"plan": world.dice.choice(["basic", "basic", "pro"])}, redacted=("age",), outputs=["no"])
    drift = world.look()
    assert not any(one.feature == "age" for one in drift.quality)
    assert next(one for one in drift.features if one.name == "age").clusters == 0


def test_requests_without_inputs_say_nothing_and_a_note_says_so():
    world = World(reference())
    for _ in range(3):
        world.add(status=204)
    world.watch.add(
        Record(
            request_id="m", pair_id="m", ts=NOON, endpoint="churn", release="churn:aaa", role="stable", status=200,
            latency_ms=1, rows=1,
        )
    )  # fmt: skip
    assert "recorded without their inputs" in " ".join(world.look().notes)


def test_a_state_is_the_same_after_it_was_stored():
    world = World(reference())
    world.many(150)
    world.add({"age": None, "plan": "gold"})
    assert WatchState.model_validate_json(world.state.model_dump_json()) == world.state


def test_requirements_are_met_not_met_or_undecided():
    world = World(reference())
    world.many(50)
    assert judged("drift_alarms <= 0", world.look()).outcome == "undecided"
    world.many(100)
    assert judged("drift_alarms <= 0", world.look()).outcome == "met"
    world.many(300, age=60)
    assert judged("drift_alarms <= 0", world.look()).outcome == "not met"
    assert judged("drift_alarms < 1000", world.look()).outcome == "met"


@pytest.mark.parametrize(
    "expression", ["agreement >= 0.9", "drift_alarms[sex=F] <= 0", "drift_alarms <= stable", "drift_alarms"]
)
def test_a_requirement_of_another_figure_is_refused(expression):
    with pytest.raises(InvalidInput):
        DriftRequest(name="churn", require=[expression])


def test_a_picture_has_one_scale_for_reference_and_now():
    bins = ["a", "b", "other", "missing"]
    assert picture([0.25] * 4, [0.25] * 4, bins) == "▅▅▅ ▅"
    assert picture([0.5, 0, 0, 0.5], [0.25] * 4, bins) == "█   █"
    assert picture([0.5, 0.5, 0, 0.001], [0.25] * 4, bins) == "██"

"""A watch that reads records in batches has the same state as one that reads them one by one, to the last digit."""

import itertools
import math
import random
from datetime import UTC, datetime, timedelta

import pytest

from jupyter_deploy.domain.drift.detector import BLOCK, Detector, Mark, Run
from jupyter_deploy.domain.drift.report import drift_of
from jupyter_deploy.domain.drift.watch import CLUSTER_BITS, FIRST_REQUESTS, Watch, WatchState, reference_of
from jupyter_deploy.domain.evidence.inference import Record
from jupyter_deploy.drift_detection import batch_watch
from jupyter_deploy.drift_detection.batch_detector import BatchDetector
from jupyter_deploy.drift_detection.batch_watch import BatchWatch

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def row(dice, age=45.0):
    return {
        "age": dice.gauss(age, 10),
        "visits": dice.choice([0, 1, 2, 3, True, None, float("nan")]),
        "plan": dice.choice(["basic", "basic", "pro", None, ""]),
        "since": f"2026-0{dice.randint(1, 9)}-1{dice.randint(0, 9)}T0{dice.randint(0, 9)}:00:00",
        "note": " ".join(dice.choices(["late", "broken", "thanks", "again", "refund"], k=3)) + str(dice.random()),
        "pixels": [[dice.random() for _ in range(3)] for _ in range(2)],
    }


def answer(dice, one):
    return {"label": "yes" if one["age"] > 50 else "no", "score": round(dice.random(), 3)}


def known():
    dice = random.Random(1)
    rows = [row(dice) for _ in range(1_000)]
    return reference_of(
        {"inputs": rows, "answers": [answer(dice, one) for one in rows]}, {"inputs": "training", "answers": "training"}
    )


def record(number, dice, *, drifted=False):
    """A request of any kind: refused, of many rows, of a known client, redacted, of another role, without inputs."""
    rows = [row(dice, 60.0 if drifted else 45.0) for _ in range(dice.choice([1] * 8 + [3, 7, 130]))]
    if drifted:
        for one in rows:
            one["visits"], one["plan"] = 7, dice.choice(["gold", "basic"])
    status = dice.choice([200] * 20 + [422, 500])
    redacted = dice.choice([()] * 9 + [("plan",), ("age", "note")])
    instances = [{name: value for name, value in one.items() if name not in redacted} for one in rows]
    return Record(
        request_id=f"r{number}",
        pair_id=None,
        ts=NOON + timedelta(seconds=number),
        endpoint="churn",
        release="churn:aaa",
        role=dice.choice(["stable"] * 9 + ["probe", "shadow"]),
        status=status,
        latency_ms=1.0,
        rows=len(rows),
        inputs=dice.choice([instances] * 30 + [None, []]) if status == 200 else None,
        outputs=dice.choice([[answer(dice, one) for one in rows]] * 20 + [None]) if status == 200 else None,
        redacted=redacted,
        cluster=dice.choice([None, None, f"c{dice.randint(0, 300)}"]),
        inputs_digest=f"d{dice.randint(0, 4_000)}",
    )


def states(records, first, monkeypatch, at_once, parts):
    """The states after all records, one by one and in batches, with their tables of clusters."""
    monkeypatch.setattr(batch_watch, "AT_ONCE", at_once)
    tables = bytearray(CLUSTER_BITS // 8), bytearray(CLUSTER_BITS // 8)
    one, many = first(), first()
    watch = Watch(one, tables[0])
    for each in records:
        watch.add(each)
    edges = [0, *sorted(random.Random(at_once).sample(range(len(records)), parts)), len(records)]
    for begin, end in itertools.pairwise(edges):
        BatchWatch(many, tables[1]).add_all(records[begin:end])
        many = WatchState.model_validate_json(many.model_dump_json())  # as the archivist stores it
    return (one, tables[0]), (many, tables[1])


@pytest.mark.parametrize(("at_once", "parts"), [(1_000, 0), (1_000, 5), (1, 0), (7, 3)])
def test_batches_give_the_same_state_as_single_records(monkeypatch, at_once, parts):
    dice = random.Random(3)
    count = 2_600 if parts == 5 else 1_300 if at_once > 100 else 500
    records = [record(number, dice, drifted=number > count * 0.7) for number in range(count)]
    reference = known()
    (one, table), (many, other) = states(records, lambda: WatchState(reference=reference), monkeypatch, at_once, parts)
    assert many.model_dump() == one.model_dump()
    assert table == other
    assert one.alarm_count >= 1
    assert {event for tallies in one.events.values() for event in tallies} == {"new", "missing", "out of range"}
    assert drift_of(many, "churn", "churn:aaa") == drift_of(one, "churn", "churn:aaa")


def test_batches_collect_the_same_reference(monkeypatch):
    dice = random.Random(4)
    records = [record(number, dice) for number in range(FIRST_REQUESTS + 900)]
    (one, _), (many, _) = states(records, WatchState, monkeypatch, 1_000, 2)
    assert one.reference is not None
    assert many.model_dump() == one.model_dump()


def test_a_value_that_stays_is_noted_over_the_border_of_batches(monkeypatch):
    dice = random.Random(5)
    records = []
    for number in range(300):
        each = record(number, dice)
        if isinstance(each.inputs, list):
            each = each.model_copy(
                update={"inputs": [one | {"plan": "pro" if number > 40 else "basic"} for one in each.inputs]}
            )
        records.append(each.model_copy(update={"redacted": ()}))
    reference = known()
    (one, _), (many, _) = states(records, lambda: WatchState(reference=reference), monkeypatch, 32, 1)
    assert one.constants["inputs plan"].units > 100
    assert many.model_dump() == one.model_dump()


VALUES = [1, 2.5, True, None, "x", 10**400, float("inf"), float("nan"), [1.0, 2.0], 7, -0.0, 0.0]


@pytest.mark.parametrize("form", ["lists", "objects", "single values", "objects that lack columns"])
def test_rows_of_any_form_are_read_as_single_ones(form, monkeypatch):
    dice = random.Random(6)

    def row(values):
        a, b = values
        whole = {"lists": [a, b], "objects": {"a": a, "b": b}, "single values": a}
        return whole.get(form, dice.choice([{"a": a}, {"b": b}, {"a": a, "b": b}, {}]))

    numbers = [row((dice.gauss(0, 2), dice.gauss(0, 2))) for _ in range(600)]
    reference = reference_of({"inputs": numbers, "answers": ["x", "y"] * 300}, {"inputs": "training"})
    records = []
    for number in range(400):
        inputs = [row((dice.choice(VALUES), dice.choice(VALUES))) for _ in range(dice.choice([1, 1, 3]))]
        outputs = [dice.choice(["x", "z", 1, True, None, ""]) for _ in inputs]
        records.append(record(number, dice).model_copy(update={"status": 200, "inputs": inputs, "outputs": outputs}))
    (one, _), (many, _) = states(records, lambda: WatchState(reference=reference), monkeypatch, 64, 1)
    assert many.model_dump() == one.model_dump()
    assert one.units > 100


@pytest.mark.parametrize("moved", [0.0, 0.3, 1.0])
def test_the_evidence_of_many_bettors_is_that_of_single_ones(moved):
    dice = random.Random(7)
    features = known().features
    run, mark = Run(), Mark(request_id="r", ts="2026-12-01")
    detector = Detector(features, run)
    for block in range(30):
        rows = [drawn(dice, features) for _ in range(BLOCK)]
        shifted = [block > 26 and dice.random() < moved for _ in rows]
        counts = [[0.0] * len(feature.counts) for feature in features]
        for row, is_shifted in zip(rows, shifted, strict=True):
            for at, one in enumerate(row):
                counts[at][0 if is_shifted else one] += 1
        detector.add_many(counts, BLOCK, mark)
    assert len(run.starts) > 10
    for least in (-math.inf, -5.0, 0.0, 4.0):
        assert BatchDetector(features, run).evidence(least) == detector.evidence(least)


def drawn(dice, features):
    return [dice.choices(range(len(feature.counts)), feature.shares)[0] for feature in features]

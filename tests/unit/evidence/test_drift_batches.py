"""A watch that reads records in batches has the same state as one that reads them one by one, to the last digit."""

import itertools
import random
from datetime import UTC, datetime, timedelta

import pytest

from jupyter_deploy.domain.drift.report import drift_of
from jupyter_deploy.domain.drift.watch import CLUSTER_BITS, FIRST_REQUESTS, Watch, WatchState, reference_of
from jupyter_deploy.domain.evidence.inference import Record
from jupyter_deploy.drift_detection import batch_watch
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

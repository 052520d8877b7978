"""The requests of a comparison: pairs, copies without a record, windows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from record_world import CANARY, NOON, World, endpoint

from jupyter_deploy.domain.errors import InvalidInput, UnknownRelease
from jupyter_deploy.domain.evidence.sequential import Mean, proportion


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def total(found):
    """What holds of every paired comparison: each mirrored request is a pair or has a reason why not."""
    assert found.mirrored == found.pairs + sum(found.shadow_failures.values())
    return found


# ---- what is compared


@pytest.mark.parametrize("traffic", [{}, CANARY, {"shadows": {"tumour:ccc": 1.0}}], ids=["shadow", "canary", "idle"])
def test_without_records_a_comparison_is_empty_and_inconclusive(world, traffic):
    found = world.compare(endpoint(**traffic))
    assert (found.pairs, found.rows, found.mirrored, found.coverage, found.agreement) == (0, 0, 0, None, None)
    assert (found.verdict, found.error_difference, found.latency_difference_ms) == ("inconclusive", None, None)
    assert found.sides["candidate"].requests == 0
    assert found.sides["candidate"].release == "tumour:bbb"
    assert found.role == endpoint(**traffic).traffic.role_of("tumour:bbb")


def test_stable_is_not_compared_with_itself(world):
    with pytest.raises(InvalidInput) as caught:
        world.compare(candidate="aaa")
    assert "tumour:bbb" in caught.value.remedy


def test_an_unknown_release_is_an_error(world):
    with pytest.raises(UnknownRelease):
        world.compare(candidate="zzz")


def test_a_shadow_is_joined_with_stable_by_pair_id_and_row(world):
    for number in range(40):
        world.pair(number, ["a", "b", "c"])
    world.pair(40, ["a", "b", "c"], ["a", "X", "c"], request_id="another caller")
    found = total(world.compare())
    assert (found.paired, found.role, found.pairs, found.rows, found.flip_count) == (True, "shadow", 41, 123, 1)
    [flip] = found.flips
    assert (flip.pair_id, flip.request_id, flip.row, flip.stable, flip.candidate) == ("p40", "r40", 1, "b", "X")
    assert flip.input == {"n": 40, "row": 1}
    assert flip.ts == NOON + timedelta(seconds=40)
    assert found.agreement == Mean({1.0: 40, 2 / 3: 1}).estimate()
    assert found.coverage == proportion(41, 41).estimate()


def test_the_same_request_id_from_many_callers_joins_nothing(world):
    for number in range(3):
        world.pair(number, [f"a{number}"], stable_fields={"request_id": "same"}, request_id="same")
    assert (world.compare().pairs, world.compare().flip_count) == (3, 0)


def test_probes_and_direct_calls_are_not_compared(world):
    world.pair(1)
    for role in ("probe", "direct"):
        world.record(2, "aaa", role)
        world.record(2, "bbb", role)
    world.record(3, "aaa", "stable", pair_id=None)
    world.record(3, "bbb", "shadow", pair_id=None)
    found = total(world.compare())
    assert (found.pairs, found.mirrored) == (1, 1)


def test_only_the_present_stable_release_is_compared_with(world):
    world.pair(1)
    world.record(2, "ccc", "stable")  # stable before a promotion
    world.record(2, "bbb", "shadow")
    world.ledger("edge", 2, "ccc")
    found = total(world.compare())
    assert (found.pairs, found.mirrored) == (1, 1)


def test_an_idle_release_is_compared_in_its_last_role(world):
    idle = endpoint(shadows={"tumour:ccc": 10.0})
    world.record(1, "aaa", "stable")
    world.record(2, "bbb", "canary")
    assert not world.compare(idle).paired
    world.record(1, "bbb", "shadow")
    found = world.compare(idle)
    assert (found.paired, found.pairs, found.role) == (True, 1, "idle")


def test_the_comparison_with_a_former_stable_release_names_the_command_that_makes_it_a_shadow(world):
    for number in range(3):
        world.record(number, "bbb", "stable")
        world.record(number, "aaa", "shadow")
    promoted = endpoint(shadows={"tumour:ccc": 10.0})
    found = world.compare(promoted)
    assert (found.pairs, found.verdict, found.recommendation) == (0, "inconclusive", "wait")
    assert "was no candidate while tumour:aaa was stable" in found.reason
    assert "nbdeploy traffic tumour --shadow tumour:bbb=100" in found.reason


# ---- odd lines and duplicates


def test_duplicates_are_counted_once_and_the_last_answer_holds(world):
    for number in range(3):
        world.pair(number)
        world.record(number, "aaa", "stable", ["late"], late=0.5, segment="2-2.v1.jsonl")
        world.record(number, "bbb", "shadow", ["late"], late=0.5)
        world.record(number, "bbb", "shadow", ["early"], late=-0.5, segment="3-3.v1.jsonl")
        for _ in range(2):
            world.ledger("shadow", number)
            world.ledger("edge", number, "aaa")
    found = total(world.compare())
    assert (found.pairs, found.rows, found.mirrored, found.flip_count) == (3, 3, 3, 0)
    assert found.sides["stable"].answers == {"late": 3}


def test_lines_that_cannot_be_read_are_counted_and_cost_nothing_else(world):
    world.pair(1)
    world.raw("aaa", 'garbage\n\x00\x00\n{"request_id": "half", "pa\n')
    world.raw("bbb", '[1]\n{"ts": 5}\n')
    world.pair(2)
    world.raw("bbb", '{"request_id": "torn by a ki')
    world.raw("ccc", "the records of another release\n")
    found = total(world.compare())
    assert (found.pairs, found.skipped_lines) == (2, 6)


def test_odd_ledger_lines_are_skipped(world):
    world.pair(1)
    for log in ("edge", "shadow"):
        world._append(world.home / "ledger" / f"{log}.jsonl", 'garbage\n{"pair_id": null}\n[]\n{"pair_id": "p7", "rel')
    found = total(world.compare())
    assert (found.pairs, found.mirrored) == (1, 1)


# ---- coverage


def test_mirrored_requests_without_a_record_are_counted_by_reason(world):
    for number in range(10):
        world.pair(number)
        world.ledger("shadow", number)
        world.ledger("edge", number, "aaa")
    lost = [("UT", 504), ("UT", "504"), ("UF,URX", 503), ("UO", 503), ("UH", 503), ("-", 200), ("-", 429), ("DC", 0)]
    for number, (flags, status) in enumerate(lost, start=20):
        world.record(number, "aaa", "stable")
        world.ledger("shadow", number, flags=flags, status=status)
        world.ledger("edge", number, "aaa")
    found = total(world.compare(overflowed=5))
    assert found.shadow_failures == {
        "overflow": 6,
        "timed out": 2,
        "answered with 429 without a record": 1,
        "answered without a record": 1,
        "connection failed": 1,
        "given up by the gateway": 1,
        "no worker": 1,
    }
    assert (found.pairs, found.mirrored, found.overflowed) == (10, 23, 5)
    assert found.coverage == proportion(10, 23).estimate()


def test_a_record_that_came_although_the_gateway_gave_up_is_a_pair(world):
    world.pair(1)
    world.ledger("shadow", 1, flags="UT", status=504)
    found = total(world.compare())
    assert (found.pairs, found.shadow_failures) == (1, {})


def test_copies_of_requests_that_the_canary_answered_say_nothing_about_stable(world):
    both = endpoint(shadows={"tumour:bbb": 100.0}, canary="tumour:ccc", canary_percent=50.0)
    for number in range(10):
        if number % 2:
            world.pair(number)
        else:
            world.record(number, "ccc", "canary")
            world.record(number, "bbb", "shadow")
        world.ledger("edge", number, "aaa" if number % 2 else "ccc")
        world.ledger("shadow", number)
    found = total(world.compare(both))
    assert (found.pairs, found.mirrored) == (5, 5)


def test_a_copy_that_the_edge_ledger_does_not_know_is_counted(world):
    world.pair(1)
    world.ledger("edge", 1, "aaa")
    world.record(2, "bbb", "shadow")  # the gateway was killed: its line is lost, and so is stable's record
    world.ledger("shadow", 3, flags="UF")
    world.ledger("edge", 3, None, release=None)
    found = total(world.compare())
    assert (found.pairs, found.mirrored) == (1, 3)
    assert found.shadow_failures == {"connection failed": 1, "without a record of stable": 1}


def test_another_shadows_ledger_lines_are_not_counted(world):
    world.pair(1)
    world.ledger("shadow", 1)
    world.ledger("shadow", 1, "ccc", flags="UT")
    world.ledger("shadow", 2, "ccc", flags="UT")
    found = total(world.compare())
    assert (found.pairs, found.mirrored) == (1, 1)


def test_rotated_ledgers_count_too(world):
    for number in range(3):
        world.record(number, "aaa", "stable")
        world.ledger("shadow", number, flags="UT", file=("shadow.jsonl", "shadow.jsonl.1", "shadow.jsonl.2")[number])
        world.ledger("shadow", number + 10, flags="UT", file="shadow.jsonl.bak")
    assert total(world.compare()).shadow_failures == {"timed out": 3}


# ---- since


def test_since_leaves_out_requests_with_an_older_record_of_either_release(world):
    for number in range(10):
        world.pair(number)
        world.ledger("shadow", number)
    world.pair(20, stable_fields={"late": -15.5})  # stable's record is older, the shadow's is not
    world.pair(21, late=-16.5)
    world.ledger("shadow", 21)
    world.record(3, "aaa", "stable", late=0.1)
    world.ledger("shadow", 4, flags="UT", pair_id="old")
    world.ledger("shadow", 8, flags="UT", pair_id="new")
    found = total(world.compare(since=NOON + timedelta(seconds=5)))
    assert (found.pairs, found.mirrored) == (5, 6)
    assert found.since == NOON + timedelta(seconds=5)
    assert found.sides["stable"].requests == 5


def test_with_since_the_reason_says_that_overflow_is_not_windowed(world):
    world.pair(1)
    assert "overflow" in world.compare(since=NOON, overflowed=3).reason
    assert "overflow is" not in world.compare(overflowed=3).reason


def test_since_holds_for_a_canary_too(world):
    for number in range(10):
        world.record(number, "aaa", "stable")
        world.record(number + 100, "bbb", "canary", status=500 if number < 5 else 200)
    found = world.compare(endpoint(**CANARY), since=NOON + timedelta(seconds=105))
    assert (found.sides["stable"].requests, found.sides["candidate"].requests, found.errors) == (0, 5, {})

"""The number of workers by their load."""

from jupyter_deploy.serving.dispatch.load_board import Load, LoadBoard
from jupyter_deploy.serving.hosting.scaling import LOOK_SECONDS, Scaling

BUSY, CROWDED, FREE = Load(1, 0, 0.0), Load(5, 4, 0.0), Load(0, 0, 0.0)


def looks(scaling, seconds, loads, *, start=0.0):
    """Look at the same loads for a time; return the last number and the moment."""
    moment = start
    while moment < start + seconds:
        moment += LOOK_SECONDS
        wanted = scaling.look(moment, loads, len(loads))
    return wanted, moment


def test_a_queue_that_stays_adds_one_worker_after_another_up_to_the_most():
    scaling = Scaling(1, 3)
    assert scaling.look(0.0, [CROWDED], 1) == 1, "one look says nothing"
    wanted, at = looks(scaling, 1.0, [CROWDED])
    assert wanted == 2
    assert looks(scaling, 5.0, [CROWDED], start=at)[0] == 2, "the second one is not ready yet"
    wanted, at = looks(scaling, 1.0, [CROWDED, BUSY], start=at + 5.0)
    assert wanted == 3
    assert looks(scaling, 60.0, [CROWDED] * 3, start=at)[0] == 3


def test_a_short_queue_adds_none():
    scaling = Scaling(1, 3)
    for moment in range(20):
        assert scaling.look(moment * LOOK_SECONDS, [CROWDED if moment % 2 else BUSY], 1) == 1


def test_workers_that_were_not_needed_for_long_are_taken_away():
    scaling = Scaling(1, 4, shrink_seconds=10.0)
    scaling.wanted = 4
    wanted, at = looks(scaling, 9.0, [BUSY, BUSY, FREE, FREE])
    assert wanted == 4
    wanted, at = looks(scaling, 3.0, [BUSY, BUSY, FREE, FREE], start=at)
    assert wanted == 2
    assert looks(scaling, 11.0, [FREE, FREE], start=at)[0] == 1


def test_a_slot_is_read_by_others_and_keeps_its_last_moment():
    board = LoadBoard(2)
    slot = board.slot(1)
    slot.begin()
    slot.wait(3)
    read = board.slot(1).read()
    assert (read.requests, read.waiting) == (1, 3)
    assert board.slot(0).read() == Load(0, 0, 0.0)
    board.slot(1).clear()
    assert (board.slot(1).read().requests, board.slot(1).read().last) == (0, read.last)
    assert not board.rebalancing
    board.rebalance(60.0)
    assert board.rebalancing

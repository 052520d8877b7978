"""Batch size and thread of a model's calls, learnt from their durations."""

import time

from jupyter_deploy.serving.dispatch.batch_sizing import MAX_ROWS, QUICK_SECONDS, SLOW_SECONDS, BatchSizer
from jupyter_deploy.serving.dispatch.thread_usage import ThreadUsage


def calls(sizer, *made, used=None, waited=True):
    """Observe calls with these rows and seconds; ``used``: their processor time."""
    for rows, seconds in made:
        sizer.observe(rows, seconds, seconds if used is None else used, waited=waited)
    return sizer


def test_batches_have_the_largest_size_until_durations_are_known():
    assert BatchSizer(inline=False, joint=True).rows == MAX_ROWS
    assert BatchSizer(inline=False, joint=False).rows == 1


def test_a_batch_has_no_more_rows_than_get_faster_together():
    linear = calls(BatchSizer(inline=False, joint=True), *((n, 0.01 * n) for n in (1, 2, 4, 8) for _ in range(3)))
    assert linear.rows == 1
    made = ((1, 0.01), (2, 0.012), (4, 0.014), (8, 0.032))
    assert calls(BatchSizer(inline=False, joint=True), *(one for one in made for _ in range(3))).rows == 4


def test_calls_delayed_by_something_else_do_not_change_the_size():
    sizer = calls(BatchSizer(inline=False, joint=True), *[(1, 0.01)] * 3, (2, 1.0))
    assert sizer.rows == MAX_ROWS  # one call of two rows is too few to know
    assert calls(sizer, (2, 0.012), (2, 0.7)).rows == MAX_ROWS
    assert calls(sizer, *[(2, 0.3)] * 3).rows == 1


def test_durations_expire():
    sizer = calls(BatchSizer(inline=False, joint=True), *[(1, 0.01)] * 3, *[(2, 1.0)] * 3)
    assert sizer.rows == 1
    assert calls(sizer, *[(1, 0.01)] * 2000).rows == MAX_ROWS


def test_only_a_series_of_quick_calls_moves_the_model_to_the_event_loop():
    sizer = calls(BatchSizer(inline=True, joint=True), *[(1, QUICK_SECONDS / 2)] * 14)
    assert not sizer.quick
    assert calls(sizer, (1, QUICK_SECONDS / 2)).quick
    assert not calls(BatchSizer(inline=True, joint=True), *[(1, QUICK_SECONDS * 2)] * 100).quick
    assert not calls(BatchSizer(inline=False, joint=True), *[(1, QUICK_SECONDS / 2)] * 100).quick


def test_one_slow_call_moves_the_model_to_the_thread_for_long():
    sizer = calls(BatchSizer(inline=True, joint=True), *[(1, 0.0)] * 15)
    assert not calls(sizer, (1, SLOW_SECONDS * 2)).quick
    assert not calls(sizer, *[(1, 0.0)] * 400).quick
    assert calls(sizer, *[(1, 0.0)] * 200).quick


def test_a_call_that_waited_moves_it_for_a_few_calls():
    sizer = calls(BatchSizer(inline=True, joint=True), *[(1, 0.0)] * 15)
    assert not calls(sizer, (1, SLOW_SECONDS * 2), used=QUICK_SECONDS).quick
    assert not calls(sizer, *[(1, 0.0)] * 14).quick
    assert calls(sizer, (1, 0.0)).quick


def test_a_call_whose_processor_others_had_changes_nothing():
    sizer = calls(BatchSizer(inline=True, joint=True), *[(1, 0.0)] * 15)
    for _ in range(20):
        assert calls(sizer, (1, SLOW_SECONDS * 2), used=QUICK_SECONDS, waited=False).quick
    assert calls(sizer, (1, 0.0)).quick
    assert sizer.rows == MAX_ROWS


def test_a_thread_waited_if_it_slept_and_not_if_it_computed():
    def slept():
        before = ThreadUsage.now()
        time.sleep(0.02)
        return ThreadUsage.now().waited_since(before)

    # On a busy machine the time may be over before the thread is asleep: then it did not wait.
    assert any(slept() for _ in range(20))

    def computed():
        before = ThreadUsage.now()
        while (now := ThreadUsage.now()).seconds < before.seconds + 0.005:
            pass
        return not now.waited_since(before)

    assert any(computed() for _ in range(20))


def test_a_model_that_waits_again_and_again_stays_in_the_thread_for_longer_each_time():
    sizer = BatchSizer(inline=True, joint=True)

    def until_quick():
        count = 0
        while not sizer.quick:
            calls(sizer, (1, 0.0))
            count += 1
        calls(sizer, (1, SLOW_SECONDS * 2), used=0.0)
        return count

    counts = [until_quick() for _ in range(8)]
    assert counts[:2] == [15, 15]
    assert counts[-1] == 64
    assert counts == sorted(counts)

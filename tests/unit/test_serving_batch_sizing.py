"""Where a model is called, and with how many rows: learnt from its calls."""

from jupyter_deploy.serving.dispatch.batch_sizing import MAX_ROWS, QUICK_SECONDS, SLOW_SECONDS, BatchSizer


def calls(sizer, *made, used=None):
    """Calls that took so long by the clock, and of the processor."""
    for rows, seconds in made:
        sizer.observe(rows, seconds, seconds if used is None else used)
    return sizer


def test_rows_are_asked_together_as_many_as_come_until_more_is_known():
    assert BatchSizer(inline=False, joint=True).rows == MAX_ROWS
    assert BatchSizer(inline=False, joint=False).rows == 1


def test_no_more_rows_than_get_quicker_together():
    linear = calls(BatchSizer(inline=False, joint=True), *((n, 0.01 * n) for n in (1, 2, 4, 8) for _ in range(3)))
    assert linear.rows == 1
    made = ((1, 0.01), (2, 0.012), (4, 0.014), (8, 0.032))
    assert calls(BatchSizer(inline=False, joint=True), *(one for one in made for _ in range(3))).rows == 4


def test_calls_that_something_else_held_up_say_nothing_about_rows():
    sizer = calls(BatchSizer(inline=False, joint=True), *[(1, 0.01)] * 3, (2, 1.0))
    assert sizer.rows == MAX_ROWS  # one call of two rows is too few to know
    assert calls(sizer, (2, 0.012), (2, 0.7)).rows == MAX_ROWS
    assert calls(sizer, *[(2, 0.3)] * 3).rows == 1


def test_what_was_learnt_is_forgotten_so_that_a_bad_moment_does_not_decide_for_ever():
    sizer = calls(BatchSizer(inline=False, joint=True), *[(1, 0.01)] * 3, *[(2, 1.0)] * 3)
    assert sizer.rows == 1
    assert calls(sizer, *[(1, 0.01)] * 2000).rows == MAX_ROWS


def test_only_calls_that_are_quick_for_a_while_are_made_in_the_loop():
    sizer = calls(BatchSizer(inline=True, joint=True), *[(1, QUICK_SECONDS / 2)] * 14)
    assert not sizer.quick
    assert calls(sizer, (1, QUICK_SECONDS / 2)).quick
    assert not calls(BatchSizer(inline=True, joint=True), *[(1, QUICK_SECONDS * 2)] * 100).quick
    assert not calls(BatchSizer(inline=False, joint=True), *[(1, QUICK_SECONDS / 2)] * 100).quick


def test_one_slow_call_ends_that_for_a_long_while():
    sizer = calls(BatchSizer(inline=True, joint=True), *[(1, 0.0)] * 15)
    assert not calls(sizer, (1, SLOW_SECONDS * 2)).quick
    assert not calls(sizer, *[(1, 0.0)] * 400).quick
    assert calls(sizer, *[(1, 0.0)] * 200).quick


def test_a_call_that_is_slow_by_the_clock_alone_ends_that_for_a_few():
    sizer = calls(BatchSizer(inline=True, joint=True), *[(1, 0.0)] * 15)
    assert not calls(sizer, (1, SLOW_SECONDS * 2), used=QUICK_SECONDS).quick
    assert not calls(sizer, *[(1, 0.0)] * 14).quick
    assert calls(sizer, (1, 0.0)).quick

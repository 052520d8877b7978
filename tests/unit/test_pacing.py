"""Where a model is called, and with how many rows: learnt from its calls."""

from jupyter_deploy.serving.dispatch.batch_sizing import MOST_ROWS, QUICK_SECONDS, SLOW_SECONDS, Pace


def calls(pace, *made, used=None):
    """Calls that took so long by the clock, and of the processor."""
    for rows, seconds in made:
        pace.note(rows, seconds, seconds if used is None else used)
    return pace


def test_rows_are_asked_together_as_many_as_come_until_more_is_known():
    assert Pace(inline=False, joint=True).rows == MOST_ROWS
    assert Pace(inline=False, joint=False).rows == 1


def test_no_more_rows_than_get_quicker_together():
    linear = calls(Pace(inline=False, joint=True), *((n, 0.01 * n) for n in (1, 2, 4, 8) for _ in range(3)))
    assert linear.rows == 1
    made = ((1, 0.01), (2, 0.012), (4, 0.014), (8, 0.032))
    assert calls(Pace(inline=False, joint=True), *(one for one in made for _ in range(3))).rows == 4


def test_calls_that_something_else_held_up_say_nothing_about_rows():
    pace = calls(Pace(inline=False, joint=True), *[(1, 0.01)] * 3, (2, 1.0))
    assert pace.rows == MOST_ROWS  # one call of two rows is too few to know
    assert calls(pace, (2, 0.012), (2, 0.7)).rows == MOST_ROWS
    assert calls(pace, *[(2, 0.3)] * 3).rows == 1


def test_what_was_learnt_is_forgotten_so_that_a_bad_moment_does_not_decide_for_ever():
    pace = calls(Pace(inline=False, joint=True), *[(1, 0.01)] * 3, *[(2, 1.0)] * 3)
    assert pace.rows == 1
    assert calls(pace, *[(1, 0.01)] * 2000).rows == MOST_ROWS


def test_only_calls_that_are_quick_for_a_while_are_made_in_the_loop():
    pace = calls(Pace(inline=True, joint=True), *[(1, QUICK_SECONDS / 2)] * 14)
    assert not pace.quick
    assert calls(pace, (1, QUICK_SECONDS / 2)).quick
    assert not calls(Pace(inline=True, joint=True), *[(1, QUICK_SECONDS * 2)] * 100).quick
    assert not calls(Pace(inline=False, joint=True), *[(1, QUICK_SECONDS / 2)] * 100).quick


def test_one_slow_call_ends_that_for_a_long_while():
    pace = calls(Pace(inline=True, joint=True), *[(1, 0.0)] * 15)
    assert not calls(pace, (1, SLOW_SECONDS * 2)).quick
    assert not calls(pace, *[(1, 0.0)] * 400).quick
    assert calls(pace, *[(1, 0.0)] * 200).quick


def test_a_call_that_is_slow_by_the_clock_alone_ends_that_for_a_few():
    pace = calls(Pace(inline=True, joint=True), *[(1, 0.0)] * 15)
    assert not calls(pace, (1, SLOW_SECONDS * 2), used=QUICK_SECONDS).quick
    assert not calls(pace, *[(1, 0.0)] * 14).quick
    assert calls(pace, (1, 0.0)).quick

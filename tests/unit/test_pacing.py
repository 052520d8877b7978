"""Where a model is called, and with how many rows: learnt from its calls."""

from jupyter_deploy.serving.pacing import MOST_ROWS, QUICK_SECONDS, SLOW_SECONDS, Pace


def calls(pace, *made):
    for rows, seconds in made:
        pace.note(rows, seconds)
    return pace


def test_rows_are_asked_together_as_many_as_come_until_more_is_known():
    assert Pace(inline=False, joint=True).rows == MOST_ROWS
    assert Pace(inline=False, joint=False).rows == 1


def test_no_more_rows_than_get_quicker_together():
    linear = calls(Pace(inline=False, joint=True), *((n, 0.01 * n) for n in (1, 2, 4, 8)))
    assert linear.rows == 1
    best_at_four = calls(Pace(inline=False, joint=True), (1, 0.01), (2, 0.012), (4, 0.014), (8, 0.032))
    assert best_at_four.rows == 4


def test_what_was_learnt_is_forgotten_so_that_one_bad_moment_does_not_decide_for_ever():
    pace = calls(Pace(inline=False, joint=True), (1, 0.01), (2, 1.0))
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

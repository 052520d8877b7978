"""Validations as text: the verdict in words, failures first; and their progress."""

from datetime import UTC, datetime

import pytest

from jupyter_deploy.domain.validation.validation import (
    CellError,
    Check,
    GateResult,
    Metric,
    Run,
    Underway,
    Validation,
    worst,
)
from jupyter_deploy.faces.render.board import Board, as_html, as_renderable, plain_line
from jupyter_deploy.faces.render.render import exit_code, html, text


def gate(verdict, sentence="accuracy 0.95 >= 0.93"):
    return GateResult(expression="accuracy >= 0.93", origin="the notebook", verdict=verdict, sentence=sentence)


def run(*verdicts, **more):
    return Run(
        notebook="/p/checks.ipynb",
        gates=tuple(gate(v, f"a {v} >= 1: {v}") for v in verdicts),
        **{"status": "done", **more},
    )


def validation(*runs, **more):
    options = {"id": "1", "at": datetime(2026, 11, 25, tzinfo=UTC), "snapshot": "churn:2", "stable": "churn:1"}
    return Validation(**options | more, runs=runs, verdict=worst(one.verdict for one in runs))


@pytest.mark.parametrize(
    ("result", "headline", "code"),
    [
        (validation(run("pass", "pass")), "PASS: churn:2: 2 gates hold", 0),
        (validation(run("pass", checks=[Check(name="c", passed=True)])), "PASS: churn:2: 1 gate and 1 check hold", 0),
        (validation(run(), snapshot=None), "PASS: 1 run came to its end; no gate was given", 0),
        (validation(run("pass", "fail")), "FAIL: churn:2: 1 of 2 gates does not hold", 1),
        (validation(run(checks=[Check(name="c", passed=False)])), "FAIL: churn:2: 1 of 1 check failed", 1),
        (validation(run("inconclusive")), "INCONCLUSIVE: churn:2: 1 of 1 gate is undecided", 4),
        (validation(run(), run(status="timeout")), "FAIL: churn:2: 1 of 2 runs did not come to its end", 1),
        (validation(run(), run(status="not run")), "FAIL: churn:2: 1 of 2 runs was not run", 1),
        (validation(run(status="died")), "FAIL: churn:2: 1 of 1 run did not come to its end", 138),
        (validation(run("pass"), run(status="not run"), stopped="interrupted"),
         "INTERRUPTED: churn:2: 1 of 2 runs had ended; of these, 1 gate holds", 130),
        (validation(run("pass"), run(status="not run"), stopped="terminated"),
         "TERMINATED: churn:2: 1 of 2 runs", 143),
    ],
)  # fmt: skip
def test_the_headline_says_the_verdict_in_words_and_the_exit_code_follows(result, headline, code):
    assert text(result).splitlines()[0].startswith(headline)
    assert exit_code(result) == code


def test_failures_come_first_with_the_failing_cell_and_the_executed_notebook():
    error = CellError(
        cell=3, ename="ValueError", evalue="no\nrows", traceback="-----\nValueError Traceback\n----> 3 f(<x>)"
    )
    raised = run("pass", status="raised", error=error, executed="/out/checks.ipynb", parameters={"seed": 2})
    measured = run("inconclusive", "fail", metrics=[Metric(name="accuracy", value=0.95, n=9, group={"sex": "F"})])
    shown = text(validation(measured, raised, notes=("2 runs left out",), report="/home/report page.html"))
    lines = shown.splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["✗", "✗", "?", "✓"]
    assert "  ✗ checks.ipynb [seed=2]: cell 3 raised ValueError: no rows" in lines
    assert "----> 3 f(<x>)" in shown
    assert "  rows" in text(validation(run(status="raised", error=error.model_copy(update={"traceback": "rows"}))))
    assert "the notebook as it ran: /out/checks.ipynb" in shown
    assert "accuracy[sex=F]" in shown
    assert "file:///home/report%20page.html" in shown
    page = html(validation(measured, raised, report="/home/report 'page'.html"))
    assert "<a href='file:///home/report%20%27page%27.html' target='_blank'>" in page
    assert "f(&lt;x&gt;)" in page
    assert page.index("✗") < page.index("?</b>") < page.index("✓")


@pytest.mark.parametrize(
    ("status", "detail", "title"),
    [
        ("died", "the kernel died: it ended by itself", "checks.ipynb: its kernel died in cell 2: it ended by itself"),
        ("timeout", "cell 2 ran longer than 20 s", "checks.ipynb: cell 2 ran longer than 20 s"),
    ],
)
def test_the_end_of_a_run_is_not_repeated_below(status, detail, title):
    error = CellError(cell=2, ename="KernelDied", evalue=detail, traceback=f"{detail}\n")
    result = validation(run(status=status, error=error, detail=f"{detail}\nits disk is full", executed="/out/a.ipynb"))
    lines = text(result).splitlines()
    assert lines[1] == f"  ✗ {title}"
    at = lines.index(title)
    assert lines[at + 1 :] == ["  its disk is full", "  the notebook as it ran: /out/a.ipynb"]


def test_where_stable_failed_its_notebook_is_named_too():
    failed = run("inconclusive", detail="with stable, cell 3 raised", executed="/a.ipynb", executed_stable="/s.ipynb")
    assert "  asked of stable: /s.ipynb" in text(validation(failed)).splitlines()
    assert "/s.ipynb" not in text(validation(run("pass", status="raised", executed_stable="/s.ipynb")))


def test_the_cause_of_an_incomplete_run_comes_once_and_before_its_consequences():
    error = CellError(cell=3, ename="ValueError", evalue="no rows")
    measured = gate("fail", "age 3 >= 4: fail").model_copy(update={"value": 3.0})
    without = [gate("fail", f"{name} was not recorded: fail") for name in ("accuracy", "auc")]
    raised = [run(status="raised", error=error, parameters={"n": n}).model_copy(update={"gates": (*without, measured)})
              for n in range(3)]  # fmt: skip
    shown = text(validation(*raised)).splitlines()
    causes = [line for line in shown if "raised ValueError" in line and line.startswith("  ✗")]
    assert causes[0] == "  ✗ checks.ipynb [n=0]: cell 3 raised ValueError: no rows; 2 gates could not be judged"
    assert len(causes) == 3
    assert shown[1] == causes[0]
    assert shown[2].startswith("  ✗ checks.ipynb [n=0]: age 3 >= 4")
    assert not [line for line in shown if "was not recorded" in line]
    # In a notebook that ran to its end it is a cause.
    assert "was not recorded" in text(validation(raised[0].model_copy(update={"status": "done", "error": None})))


def test_the_reason_for_several_skipped_runs_comes_once():
    left = [run(status="not run", detail="a.ipynb failed before", parameters={"seed": n}) for n in range(5)]
    shown = text(validation(run("fail"), *left))
    assert shown.count("a.ipynb failed before") == 1
    assert "not run: checks.ipynb [seed=0], checks.ipynb [seed=1], checks.ipynb [seed=2] and 2 more" in shown


def test_the_comparison_of_a_release_with_itself_is_marked():
    assert "itself, being stable" in text(validation(run("pass"), snapshot="churn:1"))
    assert "itself" not in text(validation(run("pass"), snapshot=None, stable=None))


def test_nothing_to_validate_names_the_omitted_runs_and_is_not_a_failure():
    nothing = Validation(
        id="", at=datetime(2026, 11, 25, tzinfo=UTC), runs=(), notes=("3 of 3 runs left out",), verdict="pass"
    )
    assert "nothing to validate" in text(nothing)
    assert "3 of 3 runs left out" in text(nothing)
    assert exit_code(nothing) == 0


def progress(run=0, state="running", **more):
    return Underway(run=run, title=f"n{run}.ipynb", state=state, cells=4, **more)


def test_the_board_shows_the_cell_of_both_sides_and_the_verdict_in_the_end():
    board = Board()
    assert board.update(progress(state="waiting"))
    assert board.update(progress())
    assert board.rows()[0][0].words == "its kernel starts"
    assert not board.update(progress(cell=2, words="X = <read>()"))
    assert board.rows()[0][0].words == "cell 2 of 4  X = <read>()"
    assert "X = &lt;read&gt;()" in as_html(board)
    board.update(progress(side="stable", cell=1, words="import x"))
    row = board.rows()[0][0]
    assert row.words == "stable: cell 1 of 4  import x"
    assert row.share == 3 / 8
    assert board.update(progress(state="fail", cell=4, seconds=2.5))
    row = board.rows()[0][0]
    assert (row.words, row.seconds, row.share) == ("✗ fail", 2.5, 1.0)
    assert "✗ fail" in as_html(board)
    assert as_renderable(board).row_count == 1


def test_of_many_runs_those_that_run_or_failed_are_shown_and_the_others_counted():
    board = Board()
    for number in range(60):
        board.update(progress(number, "waiting"))
    for number in range(30):
        board.update(progress(number, "pass"))
    board.update(progress(7, "fail"))
    board.update(progress(40))
    rows, others = board.rows()
    assert len(rows) == 20
    assert {row.progress.state for row in rows} == {"fail", "running", "waiting"}
    assert others == "and 29 pass, 11 waiting"


def test_without_a_terminal_a_run_prints_one_line_at_its_start_and_one_at_its_end():
    seen = set()
    events = [
        progress(state="waiting"),
        progress(),
        progress(cell=1),
        progress(cell=2),
        progress(side="stable"),
        progress(state="pass", seconds=1.25),
    ]
    lines = [line for event in events if (line := plain_line(event, seen))]
    assert lines == ["  n0.ipynb runs", "✓ n0.ipynb: pass, 1.2 s"]

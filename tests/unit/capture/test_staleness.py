"""The cache of the stale-kernel check: one run for all edits of a form, which does not wait for it."""

import threading

from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.faces.kernel.stale_cache import stale_findings

FOUND = (Finding(check="stale-kernel", severity="warning", message="it is"),)


class Looks:
    """A finder whose check ends on request."""

    def __init__(self):
        self.calls, self.may_end = [], threading.Event()

    def stale_findings(self, live):
        self.calls.append(live.cells)
        self.may_end.wait()
        return FOUND


def live(*cells, variable="clf"):
    return Live(None, None, Source(variable=variable), cells=cells)


def test_a_slow_check_runs_once_and_its_findings_come_with_a_later_call():
    finder = Looks()
    assert stale_findings(live("a = 1"), finder, waited=0.01) is None
    finder.may_end.set()
    assert stale_findings(live("a = 1"), finder, waited=60) == FOUND
    assert stale_findings(live("a = 1"), finder, waited=60) == FOUND
    assert finder.calls == [("a = 1",)]


def test_another_cell_or_another_model_starts_a_new_check(tmp_path):
    finder = Looks()
    finder.may_end.set()
    path = tmp_path / "a.ipynb"
    saved = Live(None, None, Source(variable="clf", notebook=str(path)), cells=("a = 1", "b = 2"))
    path.write_text("{}")
    asked = [live("a = 1", "b = 2"), live("a = 1", "b = 2", variable="other"), saved]
    assert [stale_findings(one, finder, waited=60) for one in asked] == [FOUND] * 3
    path.write_text('{"cells": []}')
    assert stale_findings(saved, finder, waited=60) == FOUND
    assert len(finder.calls) == 4

"""The search for a stale kernel runs once and does not delay typing."""

import threading

from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.ports import Live
from jupyter_deploy.faces.kernel.stale_cache import stale

FOUND = (Finding(check="stale-kernel", severity="warning", message="it is"),)


class Looks:
    """A finder that looks until it may end."""

    def __init__(self):
        self.asked, self.may_end = [], threading.Event()

    def stale_findings(self, live):
        self.asked.append(live.cells)
        self.may_end.wait()
        return FOUND


def live(*cells, variable="clf"):
    return Live(None, None, Source(variable=variable), cells=cells)


def test_what_takes_longer_is_told_the_next_time_and_looked_for_once():
    finder = Looks()
    assert stale(live("a = 1"), finder, waited=0.01) is None
    finder.may_end.set()
    assert stale(live("a = 1"), finder, waited=60) == FOUND
    assert stale(live("a = 1"), finder, waited=60) == FOUND
    assert finder.asked == [("a = 1",)]


def test_after_another_cell_or_of_another_model_it_is_looked_for_anew(tmp_path):
    finder = Looks()
    finder.may_end.set()
    path = tmp_path / "a.ipynb"
    saved = Live(None, None, Source(variable="clf", notebook=str(path)), cells=("a = 1", "b = 2"))
    path.write_text("{}")
    asked = [live("a = 1", "b = 2"), live("a = 1", "b = 2", variable="other"), saved]
    assert [stale(one, finder, waited=60) for one in asked] == [FOUND] * 3
    path.write_text('{"cells": []}')
    assert stale(saved, finder, waited=60) == FOUND
    assert len(finder.asked) == 4

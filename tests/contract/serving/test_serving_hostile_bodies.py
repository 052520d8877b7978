"""A short campaign of bodies with wrong bytes, and whether a campaign counts a lost worker: ``make hostile``.

A campaign forks workers, so it has a process of its own: threads of other tests do not survive a fork.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[3]
_REPORT = """
print(json.dumps([campaign.bodies, campaign.statuses, campaign.lost, campaign.errors]))
"""

ALL = f"""
import json
from tests.hostile_bodies import run_campaign
campaign = run_campaign(1500, seed=17)
{_REPORT}
"""
LOST = f"""
import json, os, signal
from tests.hostile_bodies import Body, run_campaign, unreadable_column, valid_bodies
good = valid_bodies()[0]

def body(number):
    if number == 2:
        os.kill(os.getpid(), signal.SIGABRT)
    return good if number != 3 else Body("frame", "/predict", good.media_type, unreadable_column())

campaign = run_campaign(5, seed=0, body_of=body)
{_REPORT}
"""


def report(code: str) -> tuple[int, dict[str, int], list[Any], list[Any]]:
    """Run a campaign; return the bodies, how many got each status, the lost workers and the errors."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    bodies, statuses, lost, errors = json.loads(done.stdout.splitlines()[-1])
    return bodies, statuses, lost, errors


def test_no_worker_is_lost_and_every_answer_is_below_500():
    bodies, statuses, lost, errors = report(ALL)
    assert bodies == sum(statuses.values()) == 1500
    assert not lost
    assert not errors
    assert statuses["200"] > 100
    assert statuses["400"] > 100


def test_a_lost_worker_is_counted_and_the_next_body_goes_to_another():
    _, statuses, lost, _ = report(LOST)
    assert lost == [[2, signal.SIGABRT]]
    assert statuses == {"200": 3, "400": 1}

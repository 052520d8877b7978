"""A short campaign of bodies with wrong bytes, and whether a campaign counts a lost worker: ``make hostile``."""

from __future__ import annotations

import os
import signal

from tests.hostile_bodies import Body, run_campaign, unreadable_column, valid_bodies


def test_no_worker_is_lost_and_every_answer_is_below_500():
    campaign = run_campaign(1500, seed=17)
    assert campaign.bodies == campaign.statuses.total() == 1500
    assert not campaign.lost
    assert not campaign.errors
    assert campaign.statuses[200] > 100
    assert campaign.statuses[400] > 100


def test_a_lost_worker_is_counted_and_the_next_body_goes_to_another():
    good = valid_bodies()[0]

    def body(number: int) -> Body:
        if number == 2:
            os.kill(os.getpid(), signal.SIGABRT)
        return good if number != 3 else Body("frame", "/predict", good.media_type, unreadable_column())

    campaign = run_campaign(5, seed=0, body_of=body)
    assert campaign.lost == [(2, signal.SIGABRT)]
    assert campaign.statuses == {200: 3, 400: 1}

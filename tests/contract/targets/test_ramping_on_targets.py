"""Ramps on a target that may not be able to drive them, and on one whose records arrive late."""

from datetime import timedelta

import pytest

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.errors import Refused
from tests.contract.targets.test_ramping import Scene, good


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path / "home")


def refuse(_endpoint):
    raise Refused("its gates cannot be enforced here", "take them away")


def test_a_target_that_cannot_drive_it_refuses_a_ramp_and_one_that_no_longer_can_pauses_it(scene):
    scene.target.check_ramp = refuse
    with pytest.raises(Refused, match="cannot be enforced here"):
        scene.begin()
    assert scene.endpoint.ramp is None
    scene.target.check_ramp = lambda _: None
    scene.begin()
    scene.target.check_ramp, scene.log.steps = refuse, (good(10),)
    assert scene.look()
    assert (scene.endpoint.traffic.canary_percent, scene.ramp().phase) == (10, "paused")
    assert "its gates cannot be enforced here" in scene.ramp().words


def test_a_shared_targets_youngest_requests_are_no_evidence(scene):
    asked = []
    scene.log.ramp_steps = lambda _endpoint, *, until: asked.append(until) or ()
    scene.begin()
    scene.look()
    scene.target.shared = {}
    scene.look()
    assert asked[0] is None
    assert timedelta(seconds=50) < now() - asked[1] < timedelta(seconds=120)

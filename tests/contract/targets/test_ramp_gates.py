"""Gates of a ramp that is driven where no notebooks are: enforced as it begins, those on live traffic at each step."""

from types import SimpleNamespace

import pytest

from jupyter_deploy.domain.errors import GateFailed
from jupyter_deploy.domain.ramp.requests import RampRequest
from jupyter_deploy.faces.request_fields import request_from
from jupyter_deploy.verbs.gates.ramp_gates import enforce_in_driver
from jupyter_deploy.verbs.ramp import ramp
from jupyter_deploy.verbs.ramp_look import look
from tests.contract.targets.test_ramping import Log, good
from tests.gating import make_world

ACCURATE, AGREES = "accuracy >= 0.5", "agreement >= 0.99"


@pytest.fixture
def world(tmp_path, monkeypatch):
    """``tumour`` with stable and a shadow, a gate on a notebook and one on pairs, on a target that others share."""
    made = make_world(tmp_path, monkeypatch)
    target = made.ports.targets["local"]
    target.shared, target.check_ramp = {}, lambda _: None
    made.ports.log, made.ports.notifier = Log(), SimpleNamespace(send=lambda _: None)
    made.deploy("a", validate=made.notebook("checks.ipynb", gates=[ACCURATE]))
    made.deploy("a", gate=AGREES)  # with a notebook in the same command it would be about the notebook's calls
    made.deploy("b")
    made.agreement = 0.999
    return made


def command(world, **given):
    request = request_from(RampRequest, {"name": "tumour", **given})
    return ramp(request, world.ports, world.told.append)


def drive(world, *percents):
    """A look of the driver, which has neither the notebook nor the validations of the person's store."""
    world.ports.log.steps = tuple(map(good, percents))
    notebook, runs = world.path / "checks.ipynb", len(world.ran)
    away = notebook.rename(notebook.with_suffix(".away"))
    known, world.ports.store.validations = world.ports.store.validations, lambda **_: []
    try:
        return look("tumour", world.ports, world.told.append)
    finally:
        world.ports.store.validations = known
        away.rename(notebook)
        assert len(world.ran) == runs, "it ran a notebook"


def test_its_notebooks_run_as_it_begins_and_the_driver_promotes_without_them(world):
    world.notebook("checks.ipynb", "again = 1", gates=[ACCURATE])  # the result of the deploy does not count for it
    world.bad = {ACCURATE}
    with pytest.raises(GateFailed, match=ACCURATE):
        command(world, steps="10,50,100", per_step="0s")
    assert world.endpoint().ramp is None
    world.bad = set()
    begun = command(world, steps="10,50,100", per_step="0s")
    assert (begun.phase, begun.percent) == ("running", 10)
    assert world.endpoint().release("tumour:b").validation.verdict == "pass"
    assert drive(world, 10)
    assert drive(world, 10, 50)
    assert world.endpoint().traffic.stable == "tumour:b"


def test_one_whose_gates_change_pauses_and_a_resume_enforces_them(world):
    command(world, steps="10,50,100", per_step="0s")
    world.deploy("a", gate="error_rate <= 0.02")
    assert drive(world, 10)
    paused = command(world)
    assert (paused.phase, paused.percent) == ("paused", 10)
    assert "changed since the ramp began" in paused.words
    world.bad = {ACCURATE}
    world.notebook("checks.ipynb", "again = 1", gates=[ACCURATE])
    with pytest.raises(GateFailed, match=ACCURATE):
        command(world, resume=True)
    assert command(world).phase == "paused"


def test_a_shadow_that_agrees_on_too_little_gets_no_clients(world):
    begun = command(world, steps="10,100", per_step="0s", shadow_first=True)
    assert begun.phase == "shadow"
    world.agreement = 0.5
    ended = world.endpoint().ramp.model_copy(update={"phase": "running", "step": 0})
    with pytest.raises(GateFailed, match="agreement"):
        enforce_in_driver(world.endpoint(), world.endpoint().ramp, world.ports)
    assert enforce_in_driver(world.endpoint(), ended, world.ports) == ()

"""A batch by schedule begins where no shell is: a release with an ``env:`` secret has none, and nothing is stored."""

from types import SimpleNamespace

import pytest

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.batch.requests import BatchRequest
from jupyter_deploy.domain.batch.spec import BatchSpec
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.ramp.plan import RampPlan
from jupyter_deploy.domain.ramp.requests import RampRequest
from jupyter_deploy.domain.ramp.state import begin
from jupyter_deploy.domain.release.document import EndpointDocument
from jupyter_deploy.domain.release.document_requests import ApplyRequest
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import RollbackRequest
from jupyter_deploy.domain.secret_references import COMMAND
from jupyter_deploy.targets.local import batches, ramp_drivers
from jupyter_deploy.targets.local.settings import LocalSettings
from jupyter_deploy.verbs.apply import apply
from jupyter_deploy.verbs.change import change
from jupyter_deploy.verbs.ramp import ramp
from jupyter_deploy.verbs.scoring.batch import batch
from jupyter_deploy.verbs.traffic import rollback
from tests.gating import make_world
from tests.releases import release

OF_SHELL = {"DB_URL": "env:PROD_DB"}
SPEC = {"source": "/data/*.parquet", "sink": "/scores", "schedule": "@daily"}


class World:
    """An endpoint over a real store, with a file that both a shell's release and a schedule's can read."""

    def __init__(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PROD_DB", "bank://")
        self.gated = make_world(tmp_path, monkeypatch)
        self.ports = self.gated.ports
        self.ports.targets["local"].check_serving = self.ports.targets["local"].check_ramp = lambda _: None
        self.deploy, self.promote, self.traffic = self.gated.deploy, self.gated.promote, self.gated.traffic
        (tmp_path / "db").write_text("bank://")
        self.of_file = {"DB_URL": f"file:{tmp_path / 'db'}"}

    @property
    def endpoint(self):
        return self.gated.endpoint()

    def schedule(self, **options):
        return batch(BatchRequest(name="tumour", **SPEC | options), self.ports, lambda _: None)

    def unschedule(self):
        return batch(BatchRequest(name="tumour", stop=True), self.ports, lambda _: None)

    def apply(self, *releases, stable="tumour:a", **serve):
        document = EndpointDocument(
            name="tumour",
            serve=serve,
            releases=[{"tag": tag, "secrets": secrets} for tag, secrets in releases],
            traffic={"stable": stable},
        )
        self.ports.documents = SimpleNamespace(read=lambda _: [document])
        return apply(ApplyRequest(file="tumour.yaml"), self.ports, lambda _: None)

    def refused(self, tag="tumour:a"):
        """That a change is refused by the release's secret, with the remedy, before anything is stored or started."""
        return _Refused(self, tag)


class _Refused:
    def __init__(self, world, tag):
        self._world, self._tag, self._raises = world, tag, pytest.raises(InvalidInput)

    def _state(self):
        ports = self._world.ports
        return ports.store.endpoints(), len(self._world.gated.ran), set(ports.targets["local"].running)

    def __enter__(self):
        self._before = self._state()
        self._error = self._raises.__enter__()

    def __exit__(self, *failure):
        swallowed = self._raises.__exit__(*failure)
        error = self._error.value
        assert f"{self._tag} reads DB_URL from env:PROD_DB" in error.message
        assert "DB_URL=keyring:NAME" in error.remedy
        assert "file:PATH" in error.remedy
        assert "batch tumour --stop" in error.remedy
        assert self._state() == self._before
        return swallowed


@pytest.fixture
def world(tmp_path, monkeypatch):
    return World(tmp_path, monkeypatch)


def test_a_schedule_of_a_release_with_a_variable_of_the_shell_is_refused(world):
    world.deploy("a", secret=OF_SHELL)
    with world.refused():
        world.schedule()
    with world.refused():
        world.apply(("tumour:a", OF_SHELL), batch=SPEC)
    with world.refused():
        world.apply(("tumour:a", None), batch=SPEC)
    with world.refused():  # what all changes go through, if another process was faster than the plan
        change(world.ports, world.endpoint, world.endpoint.serving(batch=BatchSpec(**SPEC)), reason="", what="")
    world.deploy("a", secret=world.of_file)
    assert world.schedule().spec.schedule == "0 0 * * *"


def test_a_new_endpoint_with_both_is_refused_by_its_document_before_its_release_is_started(world):
    with world.refused():
        world.apply(("tumour:a", OF_SHELL), batch=SPEC)
    world.apply(("tumour:a", world.of_file), batch=SPEC)
    assert world.endpoint.batch is not None


def test_a_document_may_change_the_place_of_the_secret_and_begin_the_schedule_at_once_and_back(world):
    world.deploy("a", secret=OF_SHELL)
    world.apply(("tumour:a", world.of_file), batch=SPEC)
    assert world.endpoint.batch is not None
    with world.refused():
        world.apply(("tumour:a", OF_SHELL), batch=SPEC)
    world.apply(("tumour:a", OF_SHELL))  # HTTP alone: the schedule ends before the release has it
    assert (world.endpoint.batch, world.endpoint.releases[0].secrets) == (None, OF_SHELL)


def test_a_release_with_a_variable_of_the_shell_does_not_become_stable_under_a_schedule(world):
    world.deploy("a", secret=OF_SHELL)
    world.deploy("b", secret=world.of_file, role="stable")
    world.schedule()
    with world.refused("the new release"):
        world.deploy("c", secret=OF_SHELL, role="stable")
    with world.refused("tumour:b"):
        world.deploy("b", secret=OF_SHELL)
    with world.refused():
        world.promote(tag="tumour:a")
    with world.refused():
        world.apply(("tumour:a", None), ("tumour:b", None), batch=SPEC)
    world.deploy("c", secret=OF_SHELL)
    with world.refused("tumour:c"):
        ramp(RampRequest(name="tumour", steps="10,100", candidate="tumour:c"), world.ports, lambda _: None)
    assert world.endpoint.traffic.role_of("tumour:c") == "shadow", "a shadow has it: no run is by a shadow here"
    world.unschedule()
    assert world.promote(tag="tumour:c").endpoint == "tumour"


def test_a_rollback_to_a_schedule_is_refused_if_stable_has_a_variable_of_the_shell_by_now(world):
    world.deploy("a", secret=world.of_file)
    world.schedule()
    scheduled = world.endpoint.revision
    world.unschedule()
    world.deploy("a", secret=OF_SHELL)
    with world.refused():
        rollback(RollbackRequest(name="tumour", to=scheduled), world.ports, lambda _: None)


def test_a_schedule_with_shadows_reads_their_secrets_too(world):
    world.deploy("a", secret=world.of_file)
    world.deploy("b", secret=OF_SHELL)
    with world.refused("tumour:b"):
        world.schedule(role="shadow")
    world.traffic(shadow={"tumour:b": 0})
    world.schedule(role="shadow")
    with world.refused("tumour:b"):
        world.traffic(shadow={"tumour:b": 100})
    with world.refused("tumour:c"):
        world.deploy("c", secret=OF_SHELL)


SCHEDULED = Endpoint.first(release("a")).serving(batch=BatchSpec(**SPEC))
_SHADOWED = Endpoint.first(release("a")).with_release(release("b"))
RAMPING = _SHADOWED.ramped(begin(RampPlan(steps=(10.0, 100.0)), release("b").tag, now()))


@pytest.mark.parametrize(("programs", "endpoint"), [(batches, SCHEDULED), (ramp_drivers, RAMPING)])
def test_the_programs_that_run_models_reach_the_keyring_the_users_own_command_and_buckets(
    tmp_path, monkeypatch, programs, endpoint
):
    variables = {
        COMMAND: "pass show",
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/bus",
        "AWS_ACCESS_KEY_ID": "somebody",
        "PROD_DB": "bank://",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = LocalSettings(
        home=tmp_path,
        bentoml_home=tmp_path,
        endpoint_program=lambda *names: (names, {"NBDEPLOY_HOME": "/home"}),
    )
    added = []
    programs.keep_running(endpoint, settings, SimpleNamespace(path=tmp_path), SimpleNamespace(add=added.append), {})
    (program,) = added
    assert program.environment["NBDEPLOY_HOME"] == "/home"
    assert {name for name in variables if name in program.environment} == {*variables} - {"PROD_DB"}

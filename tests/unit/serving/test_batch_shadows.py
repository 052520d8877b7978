"""A batch by stable and its shadows: one folder for each, and a shadow's faults are none of the batch."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_deploy.domain.batch.requests import BatchRequest
from jupyter_deploy.domain.batch.spec import BatchSpec
from jupyter_deploy.domain.errors import InvalidInput, Refused, TargetError
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.faces.render.batch_page import batch_page, exit_code_of_batch
from jupyter_deploy.targets.local.target import LocalTarget
from jupyter_deploy.verbs.release_secrets import require_schedulable
from jupyter_deploy.verbs.scoring import batch as verb
from tests import releases


class World:
    """Ports whose batches only note what they were asked for."""

    home = Path("/home/nbdeploy")
    keep_revisions = 2

    def __init__(self):
        endpoint = Endpoint.first(releases.release("aaa", name="churn"))
        self.endpoint = endpoint.with_release(releases.release("bbb", name="churn"))
        self.store = SimpleNamespace(endpoint=lambda _: self.endpoint)
        self.batches = self
        self.jobs = []
        self.broken = False

    def run(self, tag, job, report, *, dry_run):
        self.jobs.append((tag, job))
        if self.broken and tag == "churn:bbb":
            raise TargetError("it cannot be loaded")
        return {"state": "complete", "partitions": 1, "scored": 1, "rows": 10, "refused": 0}


@pytest.fixture
def world(monkeypatch):
    monkeypatch.setattr(verb, "load_release", lambda release, _: release.tag)
    return World()


def score(world, **options):
    request = BatchRequest(name="churn", source="/data", sink="/scores", **options)
    return verb.batch(request, world, lambda _: None)


def test_a_shadow_answers_beside_stable_with_records_of_its_role(world):
    result = score(world, role="shadow")
    assert [(tag, job.sink, job.records.role) for tag, job in world.jobs] == [
        ("churn:aaa", "/scores", "stable"),
        ("churn:bbb", "/scores/_shadow/bbb", "shadow"),
    ]
    assert [job.shadow for _, job in world.jobs] == [False, True]
    assert str(world.jobs[1][1].records.folder) == "/home/nbdeploy/records/churn/bbb"
    assert [(one.release, one.rows, one.problem) for one in result.shadows] == [("churn:bbb", 10, "")]
    assert batch_page(result).tables[-1].rows == [("churn:bbb", "/scores/_shadow/bbb", "10", "0", "")]


def test_a_shadow_that_fails_is_told_and_the_batch_is_complete(world):
    world.broken = True
    result = score(world, role="shadow")
    assert (result.state, result.shadows[0].problem) == ("complete", "it cannot be loaded")
    assert exit_code_of_batch(result) == 0


def test_without_the_role_stable_alone_answers(world):
    assert score(world).shadows == ()
    assert [tag for tag, _ in world.jobs] == ["churn:aaa"]


def test_an_endpoint_that_records_nothing_has_no_records_of_batches(world):
    world.endpoint = world.endpoint.recording("off")
    score(world)
    assert world.jobs[0][1].records is None


def test_a_named_release_has_no_shadows(world):
    with pytest.raises(InvalidInput, match="--role shadow takes no --release"):
        score(world, role="shadow", release="churn:aaa")


def test_a_run_in_a_cluster_is_of_an_endpoint_there_and_needs_no_snapshot_here(world, monkeypatch):
    with pytest.raises(InvalidInput, match="no cluster has its releases"):
        score(world, run_on="kubernetes")
    monkeypatch.setattr(verb, "load_release", lambda *_: pytest.fail("the snapshot is elsewhere"))
    world.endpoint = world.endpoint.model_copy(update={"target": "kubernetes"})
    world.cluster_batches = world
    score(world, run_on="kubernetes", role="shadow")
    assert [(release.tag, job.workers, job.records.role) for release, job in world.jobs] == [
        ("churn:aaa", 0, "stable"),
        ("churn:bbb", 0, "shadow"),
    ]
    with pytest.raises(InvalidInput, match="--pods is of a cluster"):
        score(world, pods=2)
    with pytest.raises(InvalidInput, match="--schedule takes no --run-on"):
        score(world, run_on="kubernetes", schedule="0 3 * * *")


@pytest.mark.parametrize("without", ["churn:aaa", "churn:bbb"])
def test_an_image_without_pyarrow_is_refused_before_a_cluster_is_asked(world, without):
    given = [one.model_copy(update={"pyarrow": one.tag != without}) for one in world.endpoint.releases]
    world.endpoint = world.endpoint.model_copy(update={"target": "kubernetes", "releases": tuple(given)})
    world.cluster_batches = world
    with pytest.raises(InvalidInput, match=f"the image of {without} has no pyarrow") as refused:
        score(world, run_on="kubernetes", role="shadow")
    assert "--engine onnx" in refused.value.remedy
    assert not world.jobs
    spec = BatchSpec(source="s3://b/rows", sink="s3://b/scores", schedule="0 3 * * *", role="shadow")
    with pytest.raises(InvalidInput, match="has no pyarrow"):
        require_schedulable(world.endpoint.serving(batch=spec))
    require_schedulable(world.endpoint.serving(batch=spec).model_copy(update={"target": "local"}))


def test_a_schedule_of_this_machine_has_no_pods():
    spec = BatchSpec(source="/rows", sink="/scores", schedule="0 3 * * *")
    LocalTarget.check_serving(spec)
    with pytest.raises(Refused, match="--pods is of a cluster"):
        LocalTarget.check_serving(spec.model_copy(update={"pods": 2}))

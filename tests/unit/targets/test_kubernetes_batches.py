"""Batches in a cluster, without one: their objects, what is refused, when the CronJob comes and goes, runs in words."""

import json
from datetime import UTC, datetime
from pathlib import Path

import kubernetes_validate
import pytest

from jupyter_deploy.domain.batch.scoring import ScheduledScoring, recording_of, scheduled_scorings
from jupyter_deploy.domain.batch.spec import BatchSpec
from jupyter_deploy.domain.errors import InvalidInput, Refused
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.targets.kubernetes import batch_runs, names
from jupyter_deploy.targets.kubernetes.batches import cron_job, job_at_once, require_in_cluster
from jupyter_deploy.targets.kubernetes.rbac import user_rules
from jupyter_deploy.targets.kubernetes.releases import stamp_of
from jupyter_deploy.targets.kubernetes.settings import ClusterSettings, KubernetesSettings
from jupyter_deploy.targets.kubernetes.shipping import shipper
from tests.namespaces import Namespace
from tests.releases import release

IMAGE = f"registry.example/team/churn@sha256:{'0' * 64}"
SETTINGS = ClusterSettings(namespace="models", records_secret="bucket")
OVERLAY = {"spec": {"nodeSelector": {"pool": "models"}}}
ALL = KubernetesSettings(home=Path("home"), bentoml_home=Path("bentoml"), kubernetes=SETTINGS)
SPEC = BatchSpec(source="s3://b/rows", sink="s3://b/scores", schedule="0 3 * * *", keep=("id",), max_errors="1%")
STABLE = release("aaa", name="churn", image=IMAGE, resources=Resources(cpu=2, memory="512MB"))
ENDPOINT = Endpoint.first(STABLE, "kubernetes").serving(batch=SPEC)
AT_ONCE = {
    "source": "s3://b/rows",
    "sink": "s3://b/now",
    "keep": (),
    "format": "csv",
    "workers": 0,
    "pods": 1,
    "max_errors": "100%",
}


SHIPPER = shipper(STABLE, SETTINGS, "s3://records/nbdeploy", IMAGE, job=True)


def cron(stable=STABLE, spec=SPEC, **options):
    records = recording_of(Endpoint.first(stable, "kubernetes"), stable)
    given = {"settings": SETTINGS, "version": "batch/v1", "overlay": OVERLAY} | options
    return cron_job(ScheduledScoring(stable, spec, records), **given)


def at_once(**changes):
    return job_at_once(STABLE, AT_ONCE | changes, SETTINGS, overlay=OVERLAY)


def pod_of(document):
    job = document["spec"].get("jobTemplate", document)["spec"]
    return job["template"]["spec"]


@pytest.mark.parametrize("version", ["1.34", "1.37"])
@pytest.mark.parametrize("stable", [STABLE, release("aaa", name="churn", image=IMAGE, secrets={"DB": "k8s:db/url"})])
def test_the_objects_are_valid_by_the_strict_schemas_and_their_pods_restricted(version, stable):
    for made in (cron(stable), cron(stable, shipper=SHIPPER), at_once()):
        kubernetes_validate.validate(made, version, strict=True)
        spec = pod_of(made)
        assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        assert not spec["automountServiceAccountToken"]
        assert spec["nodeSelector"] == {"pool": "models"}
        for container in spec["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["image"] == IMAGE
            assert container["envFrom"] == [{"secretRef": {"name": "bucket"}}]


def test_a_cronjob_runs_the_stable_image_one_at_a_time_with_the_releases_resources_and_digest():
    made = cron()
    assert made["spec"]["concurrencyPolicy"] == "Forbid"
    assert made["spec"]["schedule"] == "0 3 * * *"
    (container,) = pod_of(made)["containers"]
    assert container["args"][:3] == ["batch", "--snapshot", "churn:aaa@sha256:0"]
    assert container["args"][3:] == [
        "--source", "s3://b/rows", "--sink", "s3://b/scores", "--format", "parquet", "--keep", "id",
        "--workers", "2", "--max-errors", "1%",
    ]  # fmt: skip
    assert (
        container["resources"]["requests"]
        == container["resources"]["limits"]
        == {"cpu": "2000m", "memory": "512000000"}
    )
    assert stamp_of(made) != stamp_of(cron(STABLE.model_copy(update={"image": IMAGE.replace("0", "1")})))
    assert stamp_of(made) == stamp_of(cron(STABLE.model_copy(update={"label": "wider trees"})))


def test_a_pod_reads_the_models_secrets_from_the_namespace():
    (container,) = pod_of(cron(release("aaa", name="churn", image=IMAGE, secrets={"DB": "k8s:db/url"})))["containers"]
    variables = {one["name"]: one for one in container["env"]}
    assert variables["DB"]["valueFrom"] == {"secretKeyRef": {"name": "db", "key": "url"}}
    assert variables["NBDEPLOY_SECRETS"]["value"] == "DB"


def test_the_same_run_at_once_has_the_same_name_and_another_one_has_another():
    def name(**changes):
        return at_once(**changes)["metadata"]["name"]

    assert name() == name()
    assert len({name(), name(sink="s3://b/other"), name(dry_run=True), name(pods=2), names.batch_name("churn")}) == 5
    assert len(names.batch_name("a" * 63)) <= 52  # a CronJob's Jobs append 11 characters


def test_several_pods_are_those_of_an_indexed_job():
    made = (cron(spec=SPEC.model_copy(update={"pods": 3}))["spec"]["jobTemplate"], at_once(pods=3))
    for job in (one["spec"] for one in made):
        assert (job["completionMode"], job["completions"], job["parallelism"]) == ("Indexed", 3, 3)
        assert job["backoffLimit"] == 12
        (container,) = job["template"]["spec"]["containers"]
        assert container["args"][-2:] == ["--pods", "3"]
    kubernetes_validate.validate(made[1], "1.34", strict=True)
    for alone in (at_once(), at_once(pods=3, dry_run=True)):
        assert "completionMode" not in alone["spec"]
        assert "--pods" not in pod_of(alone)["containers"][0]["args"]


def test_a_server_without_indexed_jobs_is_told_before_anything_is_written():
    class Old(Namespace):
        def create(self, document, dry_run=False):
            assert dry_run
            return document | {"spec": {"template": {}}}

    several = SPEC.model_copy(update={"pods": 2})
    with pytest.raises(Refused, match="no Indexed Jobs"):
        batch_runs.check(several, Old(), None)
    batch_runs.check(several, Namespace(), None)
    batch_runs.check(SPEC, Old(), None)


@pytest.mark.parametrize("place", ["/data/rows", "file:///data/rows", "rows"])
def test_places_of_this_machine_are_refused_with_the_remedy(place):
    with pytest.raises(InvalidInput, match="is on this machine") as refused:
        require_in_cluster(place, "s3://b/scores")
    assert "s3://" in refused.value.remedy
    with pytest.raises(InvalidInput, match="sink"):
        require_in_cluster("s3://b/rows", place)


def test_the_pod_records_as_the_endpoint_does_and_its_shipper_ends_by_itself():
    endpoint = ENDPOINT.recording("meta", 0.5)
    (scoring,) = scheduled_scorings(endpoint)
    made = pod_of(cron_job(scoring, SETTINGS, version="batch/v1", overlay={}, shipper=SHIPPER))
    batch, upload = made["containers"]
    assert batch["args"][-4:] == ["--record", "meta;sample=0.5", "--role", "stable"]
    variables = {one["name"]: one.get("value") for one in batch["env"]}
    (mount,) = (one for one in batch["volumeMounts"] if one["name"] == "records")
    assert variables["NBDEPLOY_RECORDS"] == mount["mountPath"] == "/data/records/churn/aaa"
    assert upload["args"][-2:] == ["--for-job", "300"]
    volumes = {one["name"] for one in made["volumes"]}
    assert {one["name"] for container in made["containers"] for one in container["volumeMounts"]} == volumes
    for unrecorded in (endpoint.recording("off"), endpoint):
        (scoring,) = scheduled_scorings(unrecorded)
        ships = None if unrecorded is endpoint else SHIPPER
        (batch,) = pod_of(cron_job(scoring, SETTINGS, version="batch/v1", overlay={}, shipper=ships))["containers"]
        assert "--record" not in batch["args"]


def test_each_shadow_has_a_cronjob_of_its_own_where_records_leave_the_pods():
    shadow = release("bbb", name="churn", image=IMAGE.replace("0", "1"))
    both = ENDPOINT.with_release(shadow).serving(batch=SPEC.model_copy(update={"role": "shadow"}))
    api = Namespace()
    keep(both, api)
    (batch,) = pod_of(api.get("CronJob", "nbd-batch-churn-shadow-bbb"))["containers"]
    assert batch["image"] == shadow.image
    assert batch["args"][-2:] == ["--role", "shadow"], "its code and connections are those of a shadow"
    assert batch["args"][batch["args"].index("--sink") + 1] == "s3://b/scores/_shadow/bbb"
    assert image_in(api) == IMAGE
    keep(both.promoted("churn:bbb"), api)
    assert [name for _, name in api.objects] == ["nbd-batch-churn"]
    assert image_in(api) == shadow.image
    with pytest.raises(Refused, match="nothing to compare"):
        batch_runs.check(both.batch, Namespace(), None)


def test_users_may_change_jobs_and_cronjobs_and_nothing_else_of_that_group():
    (rule,) = (one for one in user_rules() if one["apiGroups"] == ["batch"])
    assert rule["resources"] == ["jobs", "cronjobs"]


def keep(endpoint, api, newest=None):
    def wanted(current):
        return batch_runs.wanted_crons(current, api, ALL)

    batch_runs.keep(endpoint, api, wanted, lambda: newest)


def image_in(api):
    return pod_of(api.get("CronJob", "nbd-batch-churn"))["containers"][0]["image"]


def test_the_cronjob_follows_the_revision():
    api = Namespace(version="batch/v1beta1")
    keep(ENDPOINT, api)
    keep(ENDPOINT, api)
    assert api.calls == ["apply"]
    assert api.get("CronJob", "nbd-batch-churn")["apiVersion"] == "batch/v1beta1"
    other = release("bbb", name="churn", image=IMAGE.replace("0", "1"))
    promoted = ENDPOINT.with_release(other).promoted("churn:bbb")
    keep(promoted, api)
    assert image_in(api) == other.image
    for ended in (promoted.serving(batch=None), promoted.stopped()):
        keep(promoted, api)
        keep(ended, api)
        assert not api.objects
    keep(Endpoint.first(STABLE, "kubernetes"), Namespace(version=""))  # an old server has none


def test_the_newer_revision_of_a_faster_user_wins():
    api = Namespace()
    other = release("bbb", name="churn", image=IMAGE.replace("0", "1"))
    keep(ENDPOINT, api, newest=ENDPOINT.with_release(other).promoted("churn:bbb"))
    assert image_in(api) == other.image


def test_a_server_without_cronjobs_is_told_before_a_revision_is_written():
    with pytest.raises(Refused, match="no CronJobs"):
        batch_runs.check(SPEC, Namespace(version=""), None)
    batch_runs.check(SPEC, Namespace(), None)


def job(*, conditions=(), **status):
    began = {"startTime": "2026-05-02T03:00:01Z"}
    metadata = {"name": "nbd-batch-churn-29625300", "creationTimestamp": "2026-05-02T03:00:00Z"}
    metadata["ownerReferences"] = [{"kind": "CronJob", "name": "nbd-batch-churn"}]
    found = [{"status": "True", **one} for one in conditions]
    spec = cron()["spec"]["jobTemplate"]["spec"]
    return {"metadata": metadata, "spec": spec, "status": {"conditions": found, **began, **status}}


def pod(message=None, state="terminated", **more):
    metadata = {"name": "p", "creationTimestamp": "2026-05-02T03:00:00Z"}
    metadata["labels"] = {"job-name": "nbd-batch-churn-29625300"}
    inside = {"exitCode": 1, "message": message if isinstance(message, str) else json.dumps(message)} | more
    container = {"name": "batch", "image": IMAGE, "ready": False, "state": {state: inside}}
    return {"metadata": metadata, "status": {"containerStatuses": [container]}}


DONE = {"type": "Complete", "lastTransitionTime": "2026-05-02T03:05:00Z"}
FAILED = {"type": "Failed", "lastTransitionTime": "2026-05-02T03:05:00Z", "message": "it reached the backoff limit"}
RESULT = {"release": "churn:aaa", "state": "complete", "rows": 1000, "refused": 3}


@pytest.mark.parametrize(
    ("made", "last", "words"),
    [
        (job(conditions=[DONE]), pod(RESULT), "1,000 rows by churn:aaa, 3 refused"),
        (job(conditions=[FAILED]), pod(RESULT | {"refused": 30}), "30 refused: MORE than --max-errors"),
        (job(conditions=[FAILED]), pod({"problem": "no such file"}), "FAILED: no such file"),
        (job(conditions=[FAILED]), pod("x", reason="OOMKilled"), "FAILED: it ran out of memory"),
        (job(conditions=[FAILED]), None, "FAILED: it reached the backoff limit"),
        (job(), pod({"problem": "the bucket is away"}), "running; a try failed: the bucket is away"),
        (job(), None, "running"),
    ],
)
def test_a_run_is_told_from_its_job_and_its_last_pod(made, last, words):
    assert words in batch_runs.run_of(made, [last] if last else [], "0 3 * * *").words


def test_moments_that_came_during_a_run_are_counted():
    assert batch_runs.run_of(job(conditions=[DONE]), [pod(RESULT)], "* * * * *").overlapped == 5


def test_the_state_has_the_next_moment_and_the_runs_of_the_cronjob():
    api = Namespace()
    assert not batch_runs.states([ENDPOINT], api)["churn"].running
    keep(ENDPOINT, api)
    api.objects["Job", "run"] = job(conditions=[DONE])
    api.objects["Job", "by-hand"] = {"metadata": {"name": "nbd-batch-churn-run-0"}}
    api.objects["Pod", "p"] = pod(RESULT)
    state = batch_runs.states([ENDPOINT], api)["churn"]
    assert state.running
    assert state.due > datetime.now(UTC)
    assert [one.rows for one in state.runs] == [1000]
    assert batch_runs.states([Endpoint.first(STABLE, "kubernetes")], api) == {}

"""Batches in the cluster: a CronJob of a release's image over a bucket, a Job at once, and their records."""

import signal
import subprocess
import time

import pandas as pd
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
import pytest
import yaml

from tests.e2e.conftest import until

pytestmark = pytest.mark.usefixtures("explained")

NEVER = "0 3 29 2 *"
"""A schedule that no run of these tests meets."""

INDEX = "batch.kubernetes.io/job-completion-index"

BODY = '{"instances": [{"age": 62, "weight": 55}]}'
SECONDS = 300


class Tables:
    """The bucket's Parquet files."""

    def __init__(self, bucket):
        keys = bucket.variables
        self.system = pa.fs.S3FileSystem(
            access_key=keys["AWS_ACCESS_KEY_ID"],
            secret_key=keys["AWS_SECRET_ACCESS_KEY"],
            endpoint_override=keys["AWS_ENDPOINT_URL"].removeprefix("http://"),
            scheme="http",
            region=keys["AWS_DEFAULT_REGION"],
        )

    def put(self, name, ids):
        """Write rows, whose ids are their ages too."""
        frame = pd.DataFrame({"id": list(ids), "age": list(ids), "weight": 60.5})
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), f"records/{name}", filesystem=self.system)

    def names(self, folder):
        found = self.system.get_file_info(pa.fs.FileSelector(f"records/{folder}", allow_not_found=True, recursive=True))
        return {one.path: one.mtime for one in found if one.type == pa.fs.FileType.File}

    def scores(self, folder):
        """The answers by id; each id once."""
        parts = [name for name in self.names(folder) if "/_" not in name.removeprefix(f"records/{folder}")]
        table = pa.concat_tables(pq.read_table(name, filesystem=self.system) for name in parts).to_pandas()
        assert table["id"].is_unique
        return table.set_index("id")["prediction"].sort_index()


def expected(ids, limit):
    return ["yes" if one + 60.5 > limit else "no" for one in ids]


@pytest.fixture(scope="module")
def tables(bucket):
    return Tables(bucket)


@pytest.fixture(scope="module")
def scoring(recording):
    """The user, whose pods have the bucket's key and send their records there."""
    return recording


@pytest.fixture(scope="module")
def other(models):
    """The tag of a second release."""
    return models[0][0.01]


@pytest.fixture
def ran(cluster, namespace):
    """Wait for a Job of a CronJob."""

    def run(cron, name):
        cluster.kubectl("-n", namespace, "create", "-f", "-", document=job_of(cron, name))
        cluster.kubectl("-n", namespace, "wait", "--for=condition=Complete", f"job/{name}", f"--timeout={SECONDS}s")

    return run


@pytest.fixture
def crons(cluster, namespace):
    """Return the CronJobs by name."""
    return lambda: cron_jobs(cluster, namespace)


@pytest.fixture(scope="module")
def document(models):
    """An endpoint that answers requests and has a schedule."""
    batch = {"source": "s3://records/rows/day=*/*.parquet", "sink": "s3://records/scores", "schedule": NEVER}
    return {
        "name": "churn",
        "target": "kubernetes",
        "releases": [{"tag": models[0][1.0]}],
        "serve": {"http": {}, "batch": batch | {"keep": ["id"]}},
    }


def written(user, verb, document):
    """The result of ``plan`` or ``apply`` of a document."""
    path = user.path / "churn.yaml"
    path.write_text(yaml.safe_dump(document))
    done = user.run(verb, path, "--trust", "-o", "json", timeout=900, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    (found,) = yaml.safe_load(done.stdout)
    return found


def cron_jobs(cluster, namespace):
    return {one["metadata"]["name"]: one for one in cluster.get(namespace, "cronjobs")}


def container_of(cron):
    return cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]


def job_of(cron, name):
    """What ``kubectl create job --from=cronjob/…`` creates, which kubectl does of ``batch/v1`` alone."""
    template, metadata = cron["spec"]["jobTemplate"], cron["metadata"]
    owner = {"apiVersion": cron["apiVersion"], "kind": "CronJob", "name": metadata["name"], "uid": metadata["uid"]}
    made = template["metadata"] | {"name": name, "ownerReferences": [owner | {"controller": True}]}
    annotations = made["annotations"] | {"cronjob.kubernetes.io/instantiate": "manual"}
    head = {"apiVersion": "batch/v1", "kind": "Job", "metadata": made | {"annotations": annotations}}
    return head | {"spec": template["spec"]}


def test_a_document_serves_requests_and_a_schedule_whose_job_scores_each_row_once(
    scoring, crons, ran, tables, document
):
    tables.put("rows/day=1/a.parquet", range(40, 90))
    tables.put("rows/day=2/a.parquet", range(100, 130))
    ids = [*range(40, 90), *range(100, 130)]
    planned = written(scoring, "plan", document)
    assert "CronJob nbd-batch-churn" in [one["object"] for one in planned["objects"] if one["action"] == "create"]
    assert not crons()
    written(scoring, "apply", document)
    assert written(scoring, "plan", document)["changes"] == []
    (cron,) = crons().values()
    assert cron["spec"]["concurrencyPolicy"] == "Forbid"
    (release,) = scoring.json("describe", "churn")["releases"]
    assert container_of(cron)["image"] == release["image"]

    began = time.monotonic()
    ran(cron, "first")
    print(f"a Job of the CronJob: {time.monotonic() - began:.1f} s")
    scores = tables.scores("scores")
    assert list(scores.index) == ids
    assert list(scores) == expected(ids, 120)
    assert scoring.json("predict", "churn", "--data", BODY)["body"] == {"predictions": ["no"]}
    state = scoring.json("batch", "churn")["state"]
    assert state["running"]
    assert [(one["rows"], one["refused"], one["problem"]) for one in state["runs"]] == [(80, 0, "")]
    assert state["runs"][0]["ended"]
    assert "80 rows by churn:" in scoring.run("describe", "churn").stdout

    def recorded():
        """The rows of each request and of each file of the batch, once all are there."""
        found = [one for one in scoring.json("logs", "churn", "--limit", "1000") if one["role"] != "probe"]
        assert {(one["release"], one["role"]) for one in found} <= {(release["tag"], "stable")}
        rows = {one["request_id"]: one["rows"] for one in found}
        return sorted(rows.values()) == [1, 30, 50] and rows

    rows = until(recorded, timeout=SECONDS)
    assert sum(one.startswith("batch-") for one in rows) == 2
    drift = scoring.json("drift", "churn")
    assert (drift["state"], drift["requests"], drift["rows"]) == ("watching", 3, 81)
    assert drift["origin"]["inputs"] == "500 of 500 rows of the training table"

    before = tables.names("scores")
    ran(cron, "second")
    assert {name for name in before if "/part-" in name} == {
        name for name in tables.names("scores") if "/part-" in name
    }
    assert scoring.json("batch", "churn")["state"]["runs"][0]["rows"] == 0


def test_the_cronjob_has_the_image_of_the_revisions_stable_release(scoring, cluster, namespace, document, other):
    written(scoring, "apply", document)
    (release,) = scoring.json("describe", "churn")["releases"]
    second = document | {"releases": [*document["releases"], {"tag": other}], "traffic": {"stable": other}}
    planned = written(scoring, "plan", second)
    changed = [one for one in planned["objects"] if one["object"].startswith("CronJob")]
    assert [one["action"] for one in changed] == ["change"]
    written(scoring, "apply", second)
    (cron,) = cron_jobs(cluster, namespace).values()
    images = {one["tag"]: one["image"] for one in scoring.json("describe", "churn")["releases"]}
    assert container_of(cron)["image"] == images[other]
    documents = list(yaml.safe_load_all(scoring.run("manifests", "churn", "-o", "yaml").stdout))
    assert [one["apiVersion"] for one in documents if one["kind"] == "CronJob"] == ["batch/v1"]
    scoring.run("rollback", "churn", timeout=600)
    (cron,) = cron_jobs(cluster, namespace).values()
    assert container_of(cron)["image"] == release["image"]
    planned = written(scoring, "plan", document | {"serve": {"http": {}}})
    ended = [one["action"] for one in planned["objects"] if one["object"].startswith("CronJob")]
    assert ended == ["delete"]
    scoring.run("batch", "churn", "--stop")
    until(lambda: not cron_jobs(cluster, namespace))


@pytest.fixture
def both(document, other):
    """The document with a shadow, which scores by the schedule too."""
    batch = {"source": "s3://records/pairs", "sink": "s3://records/both", "schedule": NEVER, "role": "shadow"}
    return document | {
        "releases": [*document["releases"], {"tag": other}],
        "traffic": {"stable": document["releases"][0]["tag"], "shadow": {other: 100}},
        "serve": {"http": {}, "batch": batch | {"keep": ["id"]}},
    }


def test_a_shadow_scores_by_a_cronjob_of_its_own_and_is_compared_with_stable(scoring, crons, ran, tables, both):
    stable, (other,) = both["traffic"]["stable"], both["traffic"]["shadow"]
    tables.put("pairs/a.parquet", range(30, 70))
    tables.put("pairs/b.parquet", range(70, 80))
    planned = written(scoring, "plan", both)
    version = other.partition(":")[2]
    created = [one["object"] for one in planned["objects"] if one["action"] == "create"]
    assert f"CronJob nbd-batch-churn-shadow-{version}" in created
    written(scoring, "apply", both)
    assert written(scoring, "plan", both)["changes"] == []
    for name, cron in crons().items():
        ran(cron, f"by-{name}")
    assert list(tables.scores("both")) == expected(range(30, 80), 120)
    assert list(tables.scores(f"both/_shadow/{version}")) == expected(range(30, 80), 110)
    runs = scoring.json("batch", "churn")["state"]["runs"]
    assert {(one["release"], one["rows"], one["problem"]) for one in runs} == {(stable, 50, ""), (other, 50, "")}

    def compared():
        found = scoring.json("compare", "churn", check=False)
        return found if found.get("pairs") == 2 else None

    assert until(compared, timeout=SECONDS)["candidate"] == other
    alone = both["serve"]["batch"] | {"role": "stable"}
    written(scoring, "apply", both | {"serve": {"batch": alone}})
    assert list(crons()) == ["nbd-batch-churn"]


def test_a_schedule_of_a_cluster_reads_buckets_alone(scoring):
    refused = scoring.run("batch", "churn", "--source", "rows", "--sink", "s3://b/x", "--schedule", NEVER, check=False)
    assert refused.returncode == 2
    assert "is on this machine" in refused.stdout + refused.stderr


AT_ONCE = ("batch", "churn", "--keep", "id", "--run-on", "kubernetes", "-o", "json")


class Run:
    """A command that waits for a Job at once, in a process of its own."""

    def __init__(self, user, tables, folder, *options, parts=24):
        for part in range(parts):
            tables.put(f"{folder}/rows/{part}.parquet", range(part * 10, part * 10 + 10))
        self._user, self._tables, self._sink = user, tables, f"{folder}/scores"
        places = ("--source", f"s3://records/{folder}/rows", "--sink", f"s3://records/{self._sink}")
        self._log = user.path / f"{folder}.log"
        self._command = [user.python, "-P", "-m", "jupyter_deploy", *AT_ONCE, *places, *options]

    def start(self, *, until_staged=2):
        """Start it, and wait until so many partitions are answered and not committed."""
        options = {"env": self._user.environment, "cwd": self._user.path, "stdout": subprocess.PIPE}
        with self._log.open("w") as log:
            self.process = subprocess.Popen(self._command, **options, stderr=log)
        until(lambda: self._staged() >= until_staged and "scoring by" in self._log.read_text(), timeout=SECONDS)

    def end(self, code):
        """Its result."""
        output = self.process.communicate(timeout=SECONDS)[0]
        assert self.process.returncode == code, (output, self._log.read_text())
        return yaml.safe_load(output)

    def scores(self):
        return self._tables.scores(self._sink)

    def _staged(self):
        return sum(name.endswith(".json") for name in self._tables.names(f"{self._sink}/_nbdeploy/staged"))


def pods_of_batches(cluster, namespace):
    found = cluster.pods(namespace, "app.kubernetes.io/component=batch")
    return [one["metadata"]["name"] for one in found if one["status"]["phase"] == "Running"]


def test_a_job_at_once_goes_on_after_its_pod_was_deleted(scoring, cluster, namespace, tables, document):
    written(scoring, "apply", document)
    run = Run(scoring, tables, "deleted")
    run.start()
    (pod,) = pods_of_batches(cluster, namespace)
    cluster.kubectl("-n", namespace, "delete", "pod", pod, "--wait=false")
    result = run.end(0)
    assert (result["state"], result["rows"], result["scored"]) == ("complete", 240, 24)
    assert list(run.scores().index) == list(range(240))
    run.start(until_staged=0)
    again = run.end(0)
    assert (again["rows"], again["already"]) == (0, 24)


def test_a_killed_command_leaves_its_job_to_the_same_command_and_a_ctrl_c_ends_it(
    scoring, cluster, namespace, tables, document
):
    written(scoring, "apply", document)
    run = Run(scoring, tables, "interrupted")
    run.start()
    (pod,) = pods_of_batches(cluster, namespace)
    run.process.kill()
    run.process.wait()
    run.start()
    assert pods_of_batches(cluster, namespace) == [pod]  # not a second one
    run.process.send_signal(signal.SIGINT)
    assert run.end(130)["state"] == "interrupted"
    assert not pods_of_batches(cluster, namespace)
    assert 20 <= len(run.scores()) < 240
    run.start(until_staged=0)
    result = run.end(0)
    assert result["state"] == "complete"
    assert 0 < result["already"] < 24
    assert list(run.scores().index) == list(range(240))


def test_pods_share_a_run_and_the_index_of_a_killed_one_starts_again(scoring, cluster, namespace, tables, document):
    written(scoring, "apply", document)
    run = Run(scoring, tables, "shared", "--pods", "3", parts=60)
    run.start()
    until(lambda: len(pods_of_batches(cluster, namespace)) == 3, timeout=SECONDS)
    (job,) = (one for one in cluster.get(namespace, "jobs") if one["spec"]["parallelism"] == 3)
    assert (job["spec"]["completionMode"], job["spec"]["completions"]) == ("Indexed", 3)
    cluster.kubectl(
        "-n", namespace, "delete", "pod", pods_of_batches(cluster, namespace)[0], "--force", "--grace-period=0"
    )
    result = run.end(0)
    assert (result["state"], result["rows"], result["scored"]) == ("complete", 600, 60)
    assert list(run.scores().index) == list(range(600))
    ended = {
        one["metadata"]["annotations"][INDEX]
        for one in cluster.get(namespace, "pods", "-l", f"job-name={job['metadata']['name']}")
    }
    assert ended == {"0", "1", "2"}


@pytest.mark.exhaustive
def test_a_cronjob_fires_by_the_clock_and_the_records_of_all_its_pods_leave(scoring, tables, document):
    for part in range(12):
        tables.put(f"clock/rows/{part}.parquet", range(part * 10, part * 10 + 10))
    batch = {"source": "s3://records/clock/rows", "sink": "s3://records/clock/scores", "schedule": "* * * * *"}
    written(scoring, "apply", document | {"serve": {"batch": batch | {"keep": ["id"], "pods": 2}}})
    # The first run has all; further ones, of the next minutes, have nothing to do.
    until(lambda: [one for one in runs_of(scoring) if one["ended"] and one["rows"] == 120], timeout=SECONDS)
    scoring.run("batch", "churn", "--stop")
    assert list(tables.scores("clock/scores").index) == list(range(120))

    def recorded():
        found = scoring.json("logs", "churn", "--limit", "1000")
        return sum(one["request_id"].startswith("batch-") and one["rows"] == 10 for one in found) >= 12

    until(recorded, timeout=SECONDS)


def runs_of(user):
    return user.json("batch", "churn")["state"]["runs"]


def test_the_end_of_the_target_takes_the_cronjobs_and_jobs_along(scoring, cluster, namespace, document):
    written(scoring, "apply", document)
    assert cron_jobs(cluster, namespace)
    scoring.run("down", "--target", "kubernetes")
    until(lambda: not cluster.get(namespace, "cronjobs,jobs"))

"""The results and the progress of several pods of a Job, as one."""

import json

import pytest

from jupyter_deploy.targets.kubernetes import batch_pods

FIGURES = {"partitions": 5, "already": 0, "scored": 5, "replaced": 0, "rows": 50, "refused": 1, "seconds": 2.0}


def pod(index, result=None, *, name="p", age=0, phase="Running", **status):
    metadata = {"name": f"{name}{index}", "creationTimestamp": f"2026-05-02T03:00:0{age}Z"}
    metadata |= {"labels": {"job-name": "run"}}
    metadata |= {"annotations": {"batch.kubernetes.io/job-completion-index": str(index)}}
    state = {"terminated": {"exitCode": 0, "message": json.dumps(result)}} if result else {"running": {}}
    container = {"name": "batch", "image": "i", "ready": not result, "state": state}
    begun = {"startTime": metadata["creationTimestamp"], "phase": phase, "containerStatuses": [container]}
    return {"metadata": metadata, "status": begun | status}


def test_the_pod_that_committed_has_the_result_and_until_then_a_fault_counts():
    scored = {**FIGURES, "state": "scored"}
    complete = {**FIGURES, "state": "complete", "rows": 100}
    assert batch_pods.result_of([pod(0, scored), pod(1, complete), pod(2, {"problem": "p"})])["rows"] == 100
    assert batch_pods.result_of([pod(0, scored), pod(1, {"problem": "p"}), pod(2)]) == {"problem": "p"}
    assert batch_pods.result_of([pod(0, scored), pod(1)]) == scored
    assert batch_pods.result_of([]) == {}


def test_of_an_index_that_started_again_the_last_pod_counts():
    failed, again = pod(1, {"problem": "evicted"}), pod(1, name="again", age=5)
    (found,) = batch_pods.by_job([again, pod(0), failed]).values()
    assert [one["metadata"]["name"] for one in found] == ["p0", "again1"]


def test_an_ended_job_has_the_figures_of_its_pods_together():
    ended = [pod(index, {**FIGURES, "state": "interrupted", "reasons": {"null": 1}}) for index in range(2)]
    found = batch_pods.interrupted([*ended, pod(2), pod(3, {"problem": "it was ended"})])
    assert (found["partitions"], found["rows"], found["reasons"]) == (10, 100, {"null": 2})
    assert batch_pods.interrupted([pod(0)]) == {}


class Logs:
    def __init__(self, **logs):
        self._logs = logs

    def logs(self, pod, container, most):
        return self._logs[pod]


def line(message, **more):
    return json.dumps({"event": "progress", "message": message, **more})


PROGRESS = {"finished": 2, "partitions": 5, "rows": 20, "rate": 10.0, "left": 3.0, "refused": 0}
UNSCHEDULABLE = [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]


@pytest.mark.parametrize(
    ("found", "logs", "words"),
    [
        ([], {}, "waiting for a pod"),
        ([pod(0, phase="Pending")], {}, "its pods start"),
        ([pod(0)], {"p0": ""}, "loading the model"),
        (
            [pod(0), pod(1), pod(2)],
            {"p0": line("2 of 5", progress=PROGRESS), "p1": line("x", progress=PROGRESS) + "\n" + line("committing"),
             "p2": line("loading")},
            "4 of 10 partitions, 40 rows, 20 a second, 3 s left, by 2 pods",
        ),
        (
            [pod(0), pod(1, phase="Pending", conditions=UNSCHEDULABLE)],
            {"p0": line("2 of 5", progress=PROGRESS)},
            "2 of 5 partitions, 20 rows, 10 a second, 3 s left; no node can run it: 0/3 nodes are available",
        ),
    ],
)  # fmt: skip
def test_the_progress_of_pods_is_told_together(found, logs, words):
    assert batch_pods.progress(Logs(**logs), found, 3) == words

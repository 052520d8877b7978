"""Users' values for resources, and their meaning."""

import pytest

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.release.resources import Resources, parse_resources, require_capacity
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.faces.request_fields import request_from
from jupyter_deploy.targets.local.releases.hardware import require_hardware


def test_texts_and_mappings_become_the_same_plain_values():
    texts = ["cpu=0.5", "memory=512MB", "gpu=0, 1", "workers=4", "threads=2"]
    found = parse_resources(texts)
    assert found == {"cpu": 0.5, "memory": 512_000_000, "gpu": "0,1", "workers": 4, "threads": 2}
    assert parse_resources({"cpu": "0.5", "memory": "512 mb", "gpu": "0,1", "workers": 4.0, "threads": "2"}) == found
    assert parse_resources(found) == found
    assert parse_resources(None) == {}
    assert DeployRequest.model_validate_json(DeployRequest(resources=texts).model_dump_json()).resources == found


@pytest.mark.parametrize(
    ("text", "size"),
    [("64MiB", 64 * 2**20), ("2GiB", 2**31), ("1.5 GB", 1_500_000_000), ("2g", 2 * 10**9), ("512Mi", 2**29)],
)
def test_memory_has_the_units_that_people_write(text, size):
    assert parse_resources([f"memory={text}"]) == {"memory": size}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("memory=12 parsecs", "memory cannot be '12 parsecs': write memory=512MB"),
        ("memory=-1GB", "memory cannot be '-1GB'"),
        (
            "memory=512",
            "memory of 512 bytes is too little to start with: write memory=512MB or memory=2GiB, with a unit",
        ),
        ("workers=0", "workers cannot be '0': write workers=4 (1 to 64)"),
        ("workers=8-1", "workers=8-1 begins with the greater number: write workers=1-8"),
        ("workers=0-3", "workers=0-3 begins below 1: write workers=1-3; idle_after=30m stops the last worker"),
        ("workers=1-65", "workers cannot be '1-65'"),
        ("replicas=0", "replicas cannot be '0': write replicas=3, replicas=2-20"),
        ("replicas=0-0", "replicas cannot be '0-0'"),
        ("replicas=9-2", "replicas=9-2 begins with the greater number: write replicas=2-9"),
        ("replicas=1-1001", "replicas cannot be '1-1001'"),
        ("idle_after=soon", "idle_after cannot be 'soon': write idle_after=30m (at least 1s), or idle_after=any"),
        ("idle_after=0.5s", "idle_after cannot be '0.5s'"),
        ("workers=2.5", "workers cannot be '2.5'"),
        ("workers=65", "workers cannot be '65'"),
        ("cpu=0", "cpu cannot be '0': write cpu=2 or cpu=0.5, or cpu=any for no limit"),
        ("cpu=inf", "cpu cannot be 'inf'"),
        ("cpu=nan", "cpu cannot be 'nan'"),
        ("gpu=fast", "gpu cannot be 'fast': write gpu=0 for the first one"),
        ("threads=many", "threads cannot be 'many'"),
        ("ram=2GB", "'ram' is no resource: the resources are cpu, memory, gpu, workers, threads"),
        ("workers", "'workers' is not NAME=VALUE"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_write(text, words):
    with pytest.raises(InvalidInput) as caught:
        request_from(DeployRequest, {"resources": [text]}, typed=True)
    assert f"--resources: {words}" in caught.value.details


@pytest.mark.parametrize("given", [{"workers": True}, {"memory": [1]}, {"cpu": {}}])
def test_a_value_of_another_kind_is_refused(given):
    with pytest.raises(InvalidInput):
        request_from(DeployRequest, {"resources": given})


def test_one_name_twice_is_refused():
    with pytest.raises(ValueError, match="workers is given twice"):
        parse_resources(["workers=1", "workers=2"])


def test_a_range_of_workers_and_a_time_without_requests():
    found = parse_resources(["workers= 1 - 8", "idle_after=30m"])
    assert found == {"workers": "1-8", "idle_after": 1800.0}
    assert parse_resources({"workers": "3-3", "idle_after": 90}) == {"workers": 3, "idle_after": 90.0}
    resources = Resources().overridden(found)
    assert (resources.processes, resources.pooled) == (8, True)
    assert resources.words == "1-8 workers, stops when idle for 30 min"
    assert Resources.model_validate(resources.explicit()) == resources
    assert resources.in_container == {"NBDEPLOY_WORKERS": "1-8", "NBDEPLOY_IDLE_AFTER": "1800"}
    assert not Resources(workers=1).pooled


def test_replicas_are_a_number_or_a_range_which_may_begin_with_none():
    assert parse_resources(["replicas= 2 - 20"]) == {"replicas": "2-20"}
    assert parse_resources({"replicas": "3-3"}) == {"replicas": 3}
    assert Resources().pods(2) == (2, 2)
    assert Resources(replicas=4).pods(2) == (4, 4)
    assert Resources(replicas="2-20").pods(1) == (2, 20)
    assert Resources(replicas="0-20").pods(1) == (0, 20)
    assert [Resources(replicas=value).idles for value in (None, 3, "1-2", "0-1")] == [False, False, False, True]
    assert Resources(replicas="0-20").words == "0-20 replicas"
    assert Resources(replicas=1).words == "1 replica"


def test_a_release_that_stops_when_idle_has_no_pod_then():
    assert Resources(idle_after="30m").pods(3) == (0, 3)
    assert Resources(idle_after="30m", replicas="0-20").pods(1) == (0, 20)
    assert Resources(idle_after="30m").idle_seconds == 1800
    assert Resources(replicas="0-20").idle_seconds == 300
    with pytest.raises(InvalidInput, match="replicas=2-20 keeps pods") as caught:
        Resources(idle_after="30m", replicas="2-20").pods(1)
    assert caught.value.remedy == "write replicas=0-20, or leave idle_after out"


def test_new_resources_replace_earlier_ones():
    before = Resources(memory="1GB", workers=2)
    assert before.overridden({}) == before
    assert before.overridden({"workers": 4}) == Resources(memory=10**9, workers=4)
    assert before.overridden(parse_resources(["memory=any"])) == Resources(workers=2)


def test_settings_take_memory_with_its_unit_and_nothing_else():
    assert Resources.model_validate({"memory": "2GB"}).memory == 2 * 10**9
    with pytest.raises(ValueError, match="memory cannot be '12 parsecs'"):
        Resources.model_validate({"memory": "12 parsecs"})


@pytest.mark.parametrize(
    ("resources", "threads"),
    [
        (Resources(), None),  # as many as the libraries choose: nothing was asked for
        (Resources(workers=1), None),
        (Resources(workers=4), 2),
        (Resources(workers=16), 1),
        (Resources(cpu=3), 3),
        (Resources(cpu=0.5), 1),
        (Resources(cpu=4, workers=2), 2),
        (Resources(workers=2, threads=7), 7),
    ],
)
def test_threads_follow_processors_and_workers_so_that_they_do_not_fight(resources, threads):
    assert resources.threads_on(8) == threads


def test_more_than_a_machine_has_is_refused_with_what_there_is():
    require_capacity(Resources(cpu=2, memory=10**9), cpus=2, memory=10**9)
    require_capacity(Resources(cpu=1.5), cpus=1.5, memory=None)
    with pytest.raises(InvalidInput, match="cpu=3 is more than this machine has") as caught:
        require_capacity(Resources(cpu=3), cpus=2, memory=None)
    assert caught.value.remedy == "write 2 or less"
    with pytest.raises(InvalidInput, match="memory=2 GB is more"):
        require_capacity(Resources(memory=2 * 10**9), cpus=2, memory=10**9)


def test_resources_are_shown_in_words():
    assert Resources().words == ""
    assert Resources(workers=1, cpu=0.5, memory=512 * 10**6, gpu="0", threads=1).words == (
        "1 worker, cpu 0.5, memory 512 MB, gpu 0, 1 thread a worker"
    )


def test_replicas_are_refused_on_one_machine_with_what_to_write():
    with pytest.raises(InvalidInput, match="replicas=2-20 is for a cluster") as caught:
        require_hardware(Resources(replicas="2-20"))
    assert "workers=" in caught.value.remedy
    assert "--target kubernetes" in caught.value.remedy

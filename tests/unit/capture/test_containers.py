"""The options of a container engine for a release, and the unsupported ones."""

import os
from pathlib import Path

import pytest

from jupyter_deploy.domain.errors import InvalidInput, TargetError
from jupyter_deploy.domain.images.images import Reference, in_engine
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.targets.local.releases import container_engine
from jupyter_deploy.targets.local.releases.by_container import require_containable
from jupyter_deploy.targets.local.releases.container_engine import Container, Engine, run_line
from jupyter_deploy.targets.local.supervisor.launch import cleared
from jupyter_deploy.verbs.change import difference_in_words
from jupyter_deploy.verbs.images.from_image import require_image
from tests import releases

BOTH = frozenset({"memory", "cpu"})
PODMAN = Engine("podman", "/usr/bin/podman", rootless=False, controllers=BOTH)
DOCKER = Engine("docker", "/usr/bin/docker", rootless=False, controllers=BOTH)
ROOTLESS_PODMAN = Engine("podman", "/usr/bin/podman", rootless=True, controllers=BOTH)
ROOTLESS_DOCKER = Engine("docker", "/usr/bin/docker", rootless=True, controllers=BOTH)

DIGEST = "sha256:" + "1a" * 32
IMAGE = f"registry.example/team/churn@{DIGEST}"


def line(of=PODMAN, **more):
    given = {
        "name": "nbdeploy-1-a", "image": IMAGE, "arguments": ("--uds", "/run/x.sock"), "user": ("--user=65532:65532",),
        "labels": {"io.nbdeploy.release": "churn:a"}, "variables": {"NBDEPLOY_ENDPOINT": "churn"},
        "folders": {Path("/home/ada/records"): "/records"}, "stop_seconds": 64,
    }  # fmt: skip
    return run_line(of, Container(**(given | more)))


def test_a_container_has_no_rights_no_network_and_nothing_to_write_to_but_its_folders():
    words = line()
    assert words[:3] == ["/usr/bin/podman", "run", "--rm"]
    assert words[-3:] == [IMAGE, "--uds", "/run/x.sock"]
    assert {
        "--name=nbdeploy-1-a", "--replace", "--pull=never", "--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL",
        "--security-opt=no-new-privileges", "--network=none", "--user=65532:65532",
        "--label=io.nbdeploy.release=churn:a", "--env=NBDEPLOY_ENDPOINT=churn",
    } <= set(words)  # fmt: skip
    assert words[words.index("--mount") + 1] == "type=bind,source=/home/ada/records,target=/records"
    assert not [word for word in words if word.startswith(("--memory", "--cpus", "--publish", "--privileged"))]


def test_a_secrets_value_is_not_on_the_command_line():
    assert [word for word in line(secrets=("DB_URL",)) if "DB_URL" in word] == ["--env=DB_URL"]


def test_docker_gets_the_same_options_without_podmans_own():
    words = line(DOCKER)
    assert words[0] == "/usr/bin/docker"
    podmans = {"/usr/bin/podman", "--replace", "--read-only-tmpfs=false", "--log-driver=passthrough"}
    assert set(line()) - set(words) == podmans
    assert set(words) - set(line()) == {"/usr/bin/docker", "--log-driver=none"}


def test_memory_is_limited_without_swap_and_processors_as_they_are_written():
    assert {"--memory=536870912", "--memory-swap=536870912", "--cpus=1.5"} <= set(line(memory=2**29, cpu=1.5))


def test_its_requests_in_progress_have_as_long_as_a_prediction_may_last(tmp_path):
    assert "--stop-timeout=64" in line()
    assert PODMAN.end("a", 64)[0][-2:] == ["--time=64", "a"]
    assert DOCKER.end("a", 64)[0][-2:] == ["--time=64", "a"]


def test_a_collector_of_traces_on_this_machine_needs_its_network():
    assert "--network=host" in line(network=True)


@pytest.mark.parametrize(
    ("folder", "field"),
    [
        ("/a,b", '"source=/a,b"'),
        ('/a"b', '"source=/a""b"'),
        ("/a:b c", "source=/a:b c"),
    ],
)
def test_a_folder_may_have_any_name(folder, field):
    words = line(folders={Path(folder): "/records"})
    assert words[words.index("--mount") + 1] == f"type=bind,{field},target=/records"


@pytest.mark.parametrize(
    ("of", "uid", "user", "owner"),
    [
        (PODMAN, 0, ("--user=65532:65532",), 65532),
        (ROOTLESS_PODMAN, 1000, ("--userns=keep-id:uid=65532,gid=65532", "--user=65532:65532"), None),
        (DOCKER, 0, ("--user=65532:65532",), 65532),
        (DOCKER, 1000, ("--user=1000:1000",), None),
        (ROOTLESS_DOCKER, 1000, ("--user=0:0",), None),
    ],
)
def test_the_user_who_runs_a_container_can_read_its_files(of, uid, user, owner):
    assert of.identity(uid, uid) == (user, owner)


def test_an_image_has_its_digest_in_its_name():
    reference = Reference.parse(f"localhost:5000/team/churn:one@{DIGEST}")
    assert in_engine("podman", reference) == f"localhost:5000/team/churn@{DIGEST}"
    assert in_engine("docker", reference) == f"localhost:5000/team/churn:sha256-{'1a' * 32}"


def test_what_an_image_cannot_be_given_is_refused():
    with pytest.raises(InvalidInput, match="without --image"):
        require_containable(Resources(gpu="0"), PODMAN)


def test_a_limit_that_the_engine_cannot_keep_is_refused():
    weak = Engine("podman", "/usr/bin/podman", rootless=True, controllers=frozenset({"cpu"}))
    require_containable(Resources(cpu=1, gpu="none", workers=2), weak)
    with pytest.raises(TargetError, match="podman cannot limit memory for this user") as refused:
        require_containable(Resources(memory=2**30), weak)
    assert "memory=any" in refused.value.remedy


@pytest.mark.parametrize(("machine", "platform"), [("x86_64", "linux/amd64"), ("aarch64", "linux/arm64")])
def test_an_image_for_another_platform_is_refused(monkeypatch, machine, platform):
    monkeypatch.setattr(container_engine.platform, "machine", lambda: machine)
    container_engine.require_platform(platform)
    with pytest.raises(InvalidInput, match=f"the image is for linux/s390x, and this machine is {platform}"):
        container_engine.require_platform("linux/s390x")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"verify": "cosign.pub"}, "--verify needs an image"),
        ({"image": "churn"}, "names no image"),
        ({"image": "registry.example/churn"}, "tag or digest is missing"),
        ({"image": IMAGE, "source": "train.ipynb"}, "has its own model"),
        ({"image": IMAGE, "isolated": True}, "an environment of its own"),
        ({"image": IMAGE, "verify": "/no/such.pub"}, "there is no key"),
    ],
)
def test_options_that_an_image_does_not_support_are_refused_at_once(given, words):
    with pytest.raises(InvalidInput, match=words):
        require_image(DeployRequest(**given), None)


def test_a_live_model_is_not_deployed_from_an_image():
    with pytest.raises(InvalidInput, match="has its own model, so clf cannot"):
        require_image(DeployRequest(image=IMAGE, source="clf"), object())


def test_going_back_brings_back_what_a_release_ran_from():
    first = Endpoint.first(releases.release("a", name="churn"))
    release = first.release("a").model_copy(update={"image": IMAGE, "path": ""})
    imaged = first.with_renewed(release)
    assert difference_in_words(first, imaged) == f"churn:a: runs from {IMAGE}"
    back = imaged.rolled_back_to(first)
    assert (back.release("a").image, back.release("a").path) == (None, "/bento")
    assert difference_in_words(imaged, back) == "churn:a: runs from its bento"
    assert back.rolled_back_to(imaged).release("a").image == IMAGE


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("[ -e seen ] || { touch seen; echo the monitor has gone >&2; exit 125; }", ""),
        ("echo Error: No such container: a >&2; exit 1", ""),
        ("echo it is busy >&2; exit 125", "it is busy"),
        ("exit 3", "/bin/sh ended with 3"),
    ],
)
def test_a_failed_removal_of_a_container_is_repeated(tmp_path, monkeypatch, script, why):
    monkeypatch.chdir(tmp_path)
    assert cleared(["/bin/sh", "-c", script], {"PATH": os.environ["PATH"]}, 1) == why

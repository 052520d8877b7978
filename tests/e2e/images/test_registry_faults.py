"""Failed pushes: their messages, the files that are left, and the repetition; and Ctrl-C."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.disks import small_disk
from tests.e2e.registry import refused
from tests.registries import PASSWORD, faulty, registry
from tests.tokens import token_server

pytestmark = pytest.mark.exhaustive

PUSH = """
import sys
from pathlib import Path
from jupyter_deploy.container_images.attachments import Registries
from jupyter_deploy.domain.images.images import Image, Reference
image, store, place = sys.argv[1:]
Registries().push(Image.model_validate_json(image), Path(store), Reference.parse(place), print)
"""

PULL = """
import sys
from pathlib import Path
from jupyter_deploy.container_images.attachments import Registries
from jupyter_deploy.domain.images.images import Reference
store, place = sys.argv[1:]
Registries().pull(Reference.parse(place), Path(store), print)
"""

THE_REST = ["model: code (10.2 kB): there already", "model: weights (3 MB): sent"]


def again(desk):
    return [words for words in desk.told if "trying again" in words]


def test_a_read_only_registry_is_an_error_at_once(desk):
    with registry(desk.folder / "registry", read_only=True) as running:
        error = refused(desk.push, desk.at(running.host))
    assert "you have no right" in error.message
    assert "0 of 2 layers are there" in error.message
    assert not desk.told


@pytest.mark.parametrize(("allowed", "pulls"), [({"pull"}, True), ((), False)])
def test_a_missing_permission_to_push_is_an_error_at_once(desk, allowed, pulls):
    with (
        token_server(desk.folder / "tokens", allowed) as auth,
        registry(desk.folder / "registry", auth=auth) as running,
    ):
        there = desk.at(running.host)
        desk.knows(PASSWORD, running.host)
        if pulls:
            desk.registries.check(there)
        else:
            assert "you have no right" in refused(desk.registries.check, there).message
        error = refused(desk.push, there)
    assert "you have no right" in error.message
    assert "the right to pull and push" in error.remedy
    assert "0 of 2 layers are there" in error.message
    assert not desk.told


def test_a_user_with_a_token_can_push(desk):
    with (
        token_server(desk.folder / "tokens", {"pull", "push"}) as auth,
        registry(desk.folder / "registry", auth=auth) as running,
    ):
        there = desk.at(running.host)
        desk.knows(PASSWORD, running.host)
        desk.push(there)
        assert desk.registries.digest(there) == desk.image.digest


def test_a_full_registry_gets_no_tag_and_the_rest_later(desk):
    with (
        small_disk(desk.folder / "disk", "1m") as disk,
        registry(desk.folder / "registry", storage=disk.path) as running,
    ):
        here = desk.at(running.host)
        error = refused(desk.push, here)
        assert "its storage may be full" in error.message
        assert "1 of 2 layers are there, left: 1 (3 MB), and the tag" in error.message
        assert desk.registries.digest(here) is None
        subprocess.run(["mount", "-o", "remount,size=20m", disk.path], check=True)
        assert desk.push(here) == THE_REST
        assert desk.registries.digest(here) == desk.image.digest


def test_a_connection_that_is_cut_each_time_leaves_no_tag_and_what_is_there_stays(desk):
    with faulty(desk.place.registry, lambda _number: (1_000_000, "cut")) as proxy:
        there = desk.at(proxy.host)
        desk.knows(PASSWORD, proxy.host)
        error = refused(desk.push, there)
        assert "was cut" in error.message
        assert "1 of 2 layers are there, left: 1 (3 MB), and the tag" in error.message
        assert "repeat the command" in error.remedy
        assert "_state" not in str(error)
        assert len(again(desk)) == 2
        assert desk.registries.digest(there) is None
    desk.knows(PASSWORD)
    assert desk.push() == THE_REST
    assert desk.registries.digest(desk.place) == desk.image.digest
    assert not desk.left()


def test_a_connection_that_is_cut_once_is_made_again(desk):
    def behave(_number):
        return (None, "") if proxy.reached.is_set() else (1_000_000, "cut")

    with faulty(desk.place.registry, behave) as proxy:
        there = desk.at(proxy.host)
        desk.knows(PASSWORD, proxy.host)
        desk.push(there)
        assert desk.registries.digest(there) == desk.image.digest
    assert len(again(desk)) == 1
    assert "model: weights (3 MB): sent" in desk.told


def test_ctrl_c_in_the_middle_of_a_push_ends_it_and_leaves_nothing_half_made(desk):
    with faulty(desk.place.registry, lambda _number: (1_000_000, "hold")) as proxy:
        pushing, skopeo = held_in_the_middle(desk, proxy)
        pushing.send_signal(signal.SIGINT)
        _, complaints = pushing.communicate(timeout=60)
        assert "KeyboardInterrupt" in complaints
        assert not skopeo.is_running()
    assert not desk.left()
    desk.knows(PASSWORD)
    assert desk.registries.digest(desk.place) is None
    assert desk.push() == THE_REST


def test_ctrl_c_ends_a_credential_helper_that_waits_for_somebody_too(desk, monkeypatch):
    waiting = desk.folder / "waiting"
    desk.has_helper(f"echo > {waiting}; sleep 1000; exit 1", monkeypatch)
    pushing = push_in_a_process(desk, desk.place)
    while not waiting.exists():
        assert pushing.poll() is None
        time.sleep(0.05)
    begun = psutil.Process(pushing.pid).children(recursive=True)
    assert "docker-credential-tests" in {Path(one.cmdline()[-2]).name for one in begun}
    pushing.send_signal(signal.SIGINT)
    pushing.communicate(timeout=60)
    psutil.wait_procs(begun, timeout=60)
    assert not [one for one in begun if one.is_running()]
    assert not desk.left()


def test_a_push_ends_if_its_process_is_killed(desk):
    with faulty(desk.place.registry, lambda _number: (1_000_000, "hold")) as proxy:
        pushing, skopeo = held_in_the_middle(desk, proxy)
        pushing.kill()
        pushing.communicate()
        proxy.go_on()  # skopeo has something to say now, and nobody hears it
        skopeo.wait(60)
    desk.knows(PASSWORD)
    assert desk.registries.digest(desk.place) is None


def push_in_a_process(desk, place):
    return in_a_process(PUSH, desk.image.model_dump_json(), str(desk.store), str(place))


def in_a_process(program, *arguments):
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_pull_that_was_killed_leaves_a_store_that_the_next_one_tidies(desk):
    desk.push()
    other = desk.folder / "other"
    with faulty(desk.place.registry, lambda _number: (1_000_000, "hold"), of="registry") as proxy:
        desk.knows(PASSWORD, proxy.host)
        pulling = in_a_process(PULL, str(other), str(desk.at(proxy.host)))
        assert proxy.reached.wait(60)
        pulling.kill()
        pulling.communicate()
    assert [path.name for path in other.glob("nbdeploy-pull-*")]
    desk.knows(PASSWORD)
    assert desk.registries.pull(desk.place, other, desk.told.append) == desk.image.digest
    assert {path.name for path in other.iterdir()} == {"blobs", "index.json", "oci-layout"}


def held_in_the_middle(desk, proxy):
    """A process that pushes, and its skopeo, when a part of the big layer has gone through."""
    desk.knows(PASSWORD, proxy.host)
    pushing = push_in_a_process(desk, desk.at(proxy.host))
    assert proxy.reached.wait(60)
    (skopeo,) = psutil.Process(pushing.pid).children(recursive=True)
    assert skopeo.name() == "skopeo"
    return pushing, skopeo

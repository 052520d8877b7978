"""From an endpoint to images in a real registry, by the command line, and the images that gc keeps."""

import base64
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import httpx
import psutil
import pytest

from jupyter_deploy.domain.images.attestations import PROVENANCE_TYPE, TEST_RESULT_TYPE
from tests import notebooks
from tests.conftest import free_port, make_home
from tests.e2e.conftest import Load, until
from tests.e2e.registry import keys, publishing
from tests.images import Engine, shared_base
from tests.registries import credentials, faulty

PRICED = "rate = %s\ndef priced(x):\n    return x * rate\n"
CHECKS = "from jupyter_deploy import metric, model\nmetric('answer', model().predict([2.0])[0])"
# A Debian is fetched, an environment is installed, compiled and packed.
pytestmark = pytest.mark.timeout(1500)

KIND = "application/vnd.cyclonedx+json"


def variables_of(engine):
    """A program in place of podman."""
    names = ("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "PODMAN_IGNORE_CGROUPSV1_WARNING")
    return {name: engine.environment[name] for name in names}


class Person:
    """A user with an endpoint ``price``, a validation for its releases, an engine, and a repository."""

    def __init__(self, folder, world, base):
        self.folder, self.world = folder, world
        self.home = make_home(folder / "home")
        self.engine = Engine(folder / "engine")
        self.place = f"{world.registry.host}/team/price"
        self.home.environment |= publishing(folder, world, base) | variables_of(self.engine)
        self.engine.environment |= self.home.environment

    def deploys(self, rate, *options):
        """A model with another line in it, as stable; its tag."""
        notebook = notebooks.write(self.folder / "price.ipynb", PRICED % rate)
        model = ("--name", "price", "--model", "priced", "--example", "2.0", "--role", "stable")
        return self.home.json("deploy", notebook, *model, *options, timeout=240)["release"]

    def publishes(self, *options, timeout=240):
        return self.home.json("publish", "price", *options, timeout=timeout)

    def refused(self, *arguments):
        """The exit code and the output."""
        ended = self.home.run(*arguments, check=False, timeout=240)
        assert ended.returncode, ended.stdout
        return ended.returncode, ended.stderr

    def verifies(self, reference, *options):
        """The exit code, and the outcome of each check."""
        ended = self.home.run("verify", reference, *options, "-o", "json", check=False)
        assert ended.stdout, ended.stderr
        found = json.loads(ended.stdout)
        return ended.returncode, {one["subject"]: one["verdict"] for one in found["evidence"]}

    def blobs(self):
        return sorted(path.name for path in (self.home.path / "nbdeploy" / "images" / "blobs" / "sha256").iterdir())

    def in_registry(self, tag, place=None):
        """The digest that a tag names there."""
        asked = ["skopeo", "inspect", "--format", "{{.Digest}}", f"docker://{place or self.place}:{tag}"]
        return subprocess.run(
            asked, env=self.home.environment, capture_output=True, text=True, check=True
        ).stdout.strip()


@pytest.fixture(scope="module")
def person(tmp_path_factory, registry_world):
    folder = tmp_path_factory.mktemp("publish")
    made = Person(folder, registry_world, shared_base(tmp_path_factory))
    yield made
    made.engine.clear()
    made.home.down()


@pytest.fixture(scope="module")
def published(person):
    """The first publication: of a release that passed its endpoint's gates, signed."""
    checks = notebooks.write(person.folder / "checks.ipynb", CHECKS)
    tag = person.deploys(1.5, "--validate", checks, "--gate", "answer <= 10")
    found = person.publishes("--to", person.place, "--sign", person.world.keys[0])
    assert found["release"] == tag
    return found


def layers_sent(found):
    return [
        layer["title"] for layer in found["publication"]["image"]["layers"] if layer["digest"] not in found["there"]
    ]


INTERRUPTED = [
    ("installing", "no image was made and nothing was sent; finished layers are kept"),
    ("packing", "no image was made and nothing was sent; finished layers are kept"),
    ("", "may have some of its layers by now, the tag comes last"),
]


@pytest.mark.exhaustive  # its guard: the kills of tests/contract/images/test_image_building.py
def test_ctrl_c_says_what_is_done_and_leaves_nothing_half_made_and_two_finish_it_at_once(person, tmp_path):
    """At the first publication, since later ones have nothing to install."""
    person.deploys(1.0)
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def behave(_number):
        return (None, "") if proxy.reached.is_set() else (1_000_000, "hold")

    with faulty(person.world.registry.host, behave) as proxy:
        own = {"REGISTRY_AUTH_FILE": str(credentials(tmp_path / "auth.json", proxy.host)), "TMPDIR": str(scratch)}
        place = f"{proxy.host}/team/interrupted:one"
        command = [sys.executable, "-m", "jupyter_deploy", "publish", "price", "--to", place, "-o", "json"]

        def begun():
            return subprocess.Popen(
                command, env=person.home.environment | own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                start_new_session=True,
            )  # fmt: skip

        for sign, done in INTERRUPTED:
            one = begun()
            if sign:
                assert any(line.rstrip().endswith(sign) for line in one.stderr)
            else:
                assert proxy.reached.wait(240), one.communicate()
            children = psutil.Process(one.pid).children(recursive=True)
            os.killpg(one.pid, signal.SIGINT)  # as a terminal does
            *_, said = one.communicate(timeout=60)[1].splitlines()
            assert one.returncode == 130
            assert said.startswith("interrupted; "), said
            assert said.endswith(f"{done}; run it again: finished parts are used")
            assert not psutil.wait_procs(children, timeout=60)[1]
            assert not list(scratch.iterdir())
            images = person.home.path / "nbdeploy" / "images"
            assert not (images / "making").exists()
            for blob in person.blobs():
                assert sha256((images / "blobs" / "sha256" / blob).read_bytes()).hexdigest() == blob
        both = [begun(), begun()]
        ended = [(each.communicate(timeout=240), each.returncode) for each in both]
    assert [code for _, code in ended] == [0, 0], ended
    found = [json.loads(out)["publication"] for (out, _), _ in ended]
    assert len({one["image"]["digest"] for one in found}) == 1
    there = person.in_registry("one", f"{person.world.registry.host}/team/interrupted")
    assert there == found[0]["image"]["digest"]


def test_a_published_image_is_in_the_registry_by_its_version_with_a_bill_of_materials(person, published):
    image = published["publication"]["image"]
    assert person.in_registry(published["release"].partition(":")[2]) == image["digest"]
    # All others may be there: mounted from the image of another model that needs the same, sent by another test.
    assert "bento" in layers_sent(published)
    attached = f"docker://{person.place}:{image['digest'].replace(':', '-')}.sbom"
    raw = subprocess.run(
        ["skopeo", "inspect", "--raw", attached], env=person.home.environment, capture_output=True, check=True
    ).stdout
    assert [layer["mediaType"] for layer in json.loads(raw)["layers"]] == [KIND]


def test_the_gates_and_who_published_it_are_attested_and_a_platform_demands_them_by_cosign(person, published, tmp_path):
    exact = f"{person.place}@{published['publication']['image']['digest']}"
    (tmp_path / "gates.cue").write_text('predicate: {result: "PASSED", passedTests: ["answer <= 10"]}\n')

    def attested(kind, *policy):
        command = ["cosign", "verify-attestation", "--key", person.world.keys[1], "--insecure-ignore-tlog"]
        command += ["--type", kind, *policy, exact]
        command += ["--registry-cacert", person.world.authority.certificate]
        own = {"DOCKER_CONFIG": str(tmp_path)}
        credentials(tmp_path / "config.json", person.world.registry.host)
        ended = subprocess.run(command, env=person.home.environment | own, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return json.loads(base64.b64decode(json.loads(ended.stdout)["payload"]))["predicate"]

    attested(TEST_RESULT_TYPE, "--policy", tmp_path / "gates.cue")
    stated = attested(PROVENANCE_TYPE)["buildDefinition"]
    assert stated["internalParameters"]["published_by"] == published["publication"]["user"]
    assert published["release"] in {one["name"] for one in stated["resolvedDependencies"]}
    assert attested("cyclonedx")["bomFormat"] == "CycloneDX"


@contextmanager
def answering(person, published):
    """A container that was started by the printed command and gave the notebook's answer; it logs no error."""
    port = free_port()
    words = published["command"].replace("-p 8080:8080", f"--detach --env PORT={port}").split()
    assert words[:2] == ["podman", "run"]
    container = person.engine.run(*words[1:])
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:

            def is_ready():
                try:
                    return client.get("/readyz").status_code == httpx.codes.OK
                except httpx.TransportError:
                    return False

            until(is_ready, timeout=120)
            assert client.post("/predict", json={"instances": [4.0]}).json() == {"predictions": [6.0]}
        yield container
    finally:
        said = person.engine.run("logs", container, check=False)
        person.engine.run("rm", "--force", "--time", "2", container, check=False)
    assert '"level": "error"' not in said


def test_the_printed_command_starts_it_and_it_answers_as_the_notebook_did(person, published):
    with answering(person, published):
        listed = person.home.json("images")["images"]
        users = [user for one in listed for user in one["used_by"] if user.startswith("podman ")]
        assert len(users) == 1


def test_said_again_it_sends_nothing_and_needs_no_address(person, published):
    again = person.publishes("--sign", person.world.keys[0])
    assert again["changed"] is False
    assert not layers_sent(again)
    assert again["publication"] == published["publication"]


def test_it_is_verified_by_the_signers_key_and_by_no_other(person, published, tmp_path):
    reference = published["publication"]["reference"]
    code, found = person.verifies(reference, "--key", person.world.keys[1])
    assert (code, set(found.values())) == (0, {"pass"})
    _, other = keys(tmp_path / "other")
    code, found = person.verifies(reference, "--key", other)
    assert (code, found["signature"], found["model"]) == (1, "fail", "pass")


def test_verify_on_another_store_reports_the_undecided_checks(person, published, tmp_path):
    reference = published["publication"]["reference"]
    other = make_home(tmp_path / "other")
    other.environment = person.home.environment | {
        name: other.environment[name] for name in ("NBDEPLOY_HOME", "BENTOML_HOME")
    }
    ended = other.run("verify", reference, "-o", "json", check=False)
    found = {one["subject"]: one["verdict"] for one in json.loads(ended.stdout)["evidence"]}
    assert ended.returncode == 4
    assert found == {
        "signature": "inconclusive", "digest": "inconclusive", "bill of materials": "inconclusive",
        "snapshot": "pass", "model": "pass", "validation": "inconclusive",
    }  # fmt: skip
    assert other.run("verify", reference, "--key", person.world.keys[1], check=False).returncode == 0


@pytest.mark.exhaustive
def test_an_engine_makes_what_is_published_verified_and_answers_as_well(person, published):
    where = ("--to", f"{person.place}:engine", "--release", published["release"])
    found = person.publishes(*where, "--builder", "engine", timeout=900)
    image, other = (one["publication"]["image"] for one in (found, published))
    assert (image["builder"], other["builder"]) == ("engine", "daemonless")
    assert [one["kind"] for one in image["layers"]] == [one["kind"] for one in other["layers"]]
    assert "FROM base AS dependencies" in Path(found["containerfile"]).read_text()
    assert person.in_registry("engine") == image["digest"]
    with answering(person, found) as container:
        python = "/opt/nbdeploy/venv/bin/python"
        assert person.engine.run("exec", container, python, "-c", "import os; print(os.getuid())") == "65532"
    code, evidence = person.verifies(found["publication"]["reference"])
    assert (code, evidence["digest"], evidence["model"]) == (0, "pass", "pass")
    again = person.publishes(*where, "--builder", "engine", timeout=900)
    assert (again["changed"], again["publication"]) == (False, found["publication"])


def test_a_changed_line_sends_one_layer_of_a_few_kilobytes(person, published):
    tag = person.deploys(2.0)
    dry = person.publishes("--dry-run")
    assert layers_sent(dry) == ["bento"]
    assert person.home.json("images")["images"][0]["published"] == [], "it sent nothing"
    found = person.publishes()
    assert found["release"] == tag
    assert layers_sent(found) == ["bento"]
    assert sum(one["size"] for one in found["publication"]["image"]["layers"] if one["title"] == "bento") < 64_000


@pytest.mark.exhaustive  # its guards: the other tests of this file
@pytest.mark.parametrize("builder", ["daemonless", "engine"])
def test_elsewhere_its_image_is_pulled_is_a_shadow_is_compared_and_promoted_and_a_changed_line_is_one_layer(
    person, published, builder, tmp_path
):
    """Elsewhere there are the snapshots, no image, and an engine that has none."""
    first, second = published["release"], person.deploys(2.0)
    options = ("--to", f"{person.place}-{builder}", "--builder", builder, "--sign", person.world.keys[0])
    sent = person.publishes(*options, timeout=900)["publication"]
    elsewhere, engine = make_home(tmp_path / "elsewhere"), Engine(tmp_path / "engine")
    own = {name: elsewhere.environment[name] for name in ("NBDEPLOY_HOME", "NBDEPLOY_PORT")}
    elsewhere.environment = person.home.environment | own | variables_of(engine)
    try:
        url = elsewhere.json("deploy", first, "--name", "price", "--trust")["url"]
        signed = ("--image", sent["reference"], "--verify", person.world.keys[1])
        shadow = elsewhere.json("deploy", *signed, "--name", "price", "--trust", timeout=300)
        assert (shadow["release"], shadow["role"]) == (second, "shadow")
        assert sent["image"]["digest"] in engine.run("ps", "--format", "{{.Image}}")
        with Load(url, row=4.0) as load:
            until(lambda: elsewhere.json("compare", "price")["pairs"] >= 30)
            assert elsewhere.json("compare", "price")["agreement"]["value"] == 0.0, "6 and 8"
            elsewhere.run("promote", "price")
            load.wait_for(20)
        assert load.failures == []
        assert load.answers[-1][1] == second
        assert httpx.post(f"{url}/predict", json={"instances": [4.0]}, trust_env=False).json() == {"predictions": [8.0]}
    finally:
        elsewhere.down()
        engine.clear()
    person.deploys(3.0)
    assert layers_sent(person.publishes(*options, timeout=900)) == ["bento"]


def test_a_tag_of_another_image_is_moved_only_with_overwrite(person, published):
    to = f"{person.place}:latest"
    version = published["release"]
    first = person.publishes("--to", to, "--release", version)
    person.deploys(2.0)
    blobs = person.blobs()
    code, said = person.refused("publish", "price", "--to", to)
    assert code == 1
    assert first["publication"]["image"]["digest"] in said
    assert "--overwrite" in said
    assert person.in_registry("latest") == first["publication"]["image"]["digest"]
    assert person.blobs() == blobs, "and that before anything was built"
    moved = person.publishes("--to", to, "--overwrite")
    assert person.in_registry("latest") == moved["publication"]["image"]["digest"]
    code, found = person.verifies(to)
    assert (code, found["digest"]) == (0, "pass")


def test_a_release_that_did_not_pass_is_refused_unless_forced_with_a_stored_reason(person, published):
    forced = ("--force", "--reason", "a customer waits")
    tag = person.deploys(20.0, *forced)
    code, said = person.refused("publish", "price")
    assert code == 1
    assert f"{tag} did not pass: answer" in said
    code, said = person.refused("publish", "price", "--force")
    assert (code, "reason" in said) == (2, True)
    found = person.publishes(*forced)
    assert found["publication"]["forced"] == "a customer waits"
    code, evidence = person.verifies(found["publication"]["reference"])
    assert (code, evidence["validation"], evidence["digest"]) == (1, "fail", "pass")


def test_gc_keeps_what_is_used(person, published):
    listed = person.home.json("images")
    assert all(one["used_by"] or one["published"] for one in listed["images"])
    before = person.blobs()
    kept = person.home.json("gc", "--dry-run")
    assert (kept["removed"], kept["unasked"]) == ([], [])
    assert len(kept["kept"]) == len(listed["images"])
    assert person.blobs() == before


def test_an_unreachable_registry_is_an_error_before_the_build(person, published):
    before = person.blobs()
    code, said = person.refused("publish", "price", "--release", published["release"], "--to", "localhost:1/no/body")
    assert (code, "[2/" in said) == (3, False)
    assert person.blobs() == before


def test_with_an_unresponsive_engine_gc_keeps_all_images(person, published, tmp_path):
    broken = tmp_path / "bin"
    broken.mkdir()
    (broken / "docker").write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    (broken / "docker").chmod(0o755)
    path = person.home.environment["PATH"]
    try:
        person.home.environment["PATH"] = f"{broken}{os.pathsep}{path}"
        found = person.home.json("gc")
    finally:
        person.home.environment["PATH"] = path
    assert found["removed"] == []
    assert found["unasked"] == ["docker: Cannot connect to the Docker daemon"]


def test_a_changed_file_of_the_model_is_detected(person, published):
    """Not by its name alone: the store's files are compared with their digests."""
    layer = published["publication"]["image"]["layers"][-1]["digest"].removeprefix("sha256:")
    blob = Path(person.home.environment["NBDEPLOY_HOME"]) / "images" / "blobs" / "sha256" / layer
    content = blob.read_bytes()
    try:
        blob.chmod(0o600)
        blob.write_bytes(content[:-20] + bytes(20))
        code, said = person.refused("verify", published["publication"]["reference"])
    finally:
        blob.write_bytes(content)
    assert code == 3
    assert "is missing or damaged" in said

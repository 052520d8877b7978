"""The gateway's image, of an Envoy and a base that cannot run; e2e/images/test_compose.py runs one."""

import json
import platform
import subprocess
import sys
import tarfile

import pytest

from jupyter_deploy.container_images.gateway import GatewayBuilder, program_files
from jupyter_deploy.container_images.layout import ImageFolder
from jupyter_deploy.domain.capture.artifacts import Environment
from jupyter_deploy.domain.errors import BaseUnfit, EnvoyMissing
from scripts.gateway_toggles import copy_program
from tests.images import write_small_base

PROCESSOR = platform.machine()
ELF = {"x86_64": 62, "aarch64": 183}
ENVIRONMENT = Environment(interpreter="/python", python="3.11.2", platform=f"linux-{PROCESSOR}", distributions={})
TOKEN = "a-token-of-the-tests"


@pytest.fixture
def world(tmp_path):
    """Builds, of an ``envoy`` that may be written anew."""

    class World:
        envoy = tmp_path / "envoy"
        store = ImageFolder(tmp_path / "images")
        base = write_small_base(tmp_path / "base")

        def program(self, processor=PROCESSOR, content=b""):
            head = b"\x7fELF\x02\x01\x01".ljust(18, b"\0")
            self.envoy.write_bytes(head + ELF[processor].to_bytes(2, "little") + content)
            self.envoy.chmod(0o755)

        def check(self, base=None):
            GatewayBuilder(self.store, lambda: str(self.envoy)).check(base or self.base, ENVIRONMENT)

        def build(self, store=None, base=None):
            builder = GatewayBuilder(store or self.store, lambda: str(self.envoy))
            return builder.build(base or self.base, ENVIRONMENT, lambda _: None)

    made = World()
    made.program()
    return made


def test_above_its_base_it_has_one_layer_with_envoy_what_starts_it_and_the_bases_python(world):
    world.check()
    image = world.build()
    below, own = image.layers
    assert (below.kind, own.kind) == ("base", "code")
    with tarfile.open(world.store.blob(own.digest)) as tar:
        members = {member.name: member for member in tar if not member.isdir()}
        assert set(members) == {f"opt/nbdeploy/gateway/{name}" for name in ("envoy", "python", *program_files())}
        assert members["opt/nbdeploy/gateway/envoy"].mode == 0o755
        assert members["opt/nbdeploy/gateway/python"].linkname == "/usr/bin/python3.11"
    config = json.loads(world.store.blob(world.store.manifest(image.digest)["config"]["digest"]).read_bytes())
    assert config["config"]["User"] == "65532:65532"
    assert config["config"]["Entrypoint"][-1] == "/opt/nbdeploy/gateway/start.py"


def test_it_is_the_same_wherever_it_is_built_and_another_with_another_envoy(world, tmp_path):
    image = world.build()
    assert world.build() == image
    assert world.build(ImageFolder(tmp_path / "elsewhere")) == image
    world.program(content=b"newer")
    assert world.build().digest != image.digest


def test_no_list_names_it_and_clearing_up_takes_it_away(world):
    image = world.build()
    assert world.store.images() == []
    assert world.store.remove([], dry_run=False) > 0
    assert not world.store.blob(image.digest).exists()
    assert world.build() == image


@pytest.mark.parametrize("content", ["#!/bin/sh\n", "other"])
def test_an_envoy_that_is_no_program_of_the_releases_platform_is_refused_before_anything_is_built(world, content):
    if content == "other":
        world.program(*(set(ELF) - {PROCESSOR}))
    else:
        world.envoy.write_text(content)
    with pytest.raises(EnvoyMissing, match="the gateway's image is for linux/") as refused:
        world.check()
    assert "NBDEPLOY_ENVOY" in refused.value.remedy
    assert not world.store.folder.exists()


def test_a_base_whose_c_library_is_older_than_envoy_needs_is_refused(world, tmp_path):
    with pytest.raises(BaseUnfit, match=r"has glibc 2\.28, and Envoy needs 2\.31"):
        world.build(base=write_small_base(tmp_path / "old", glibc="2.28"))


@pytest.fixture
def start(tmp_path):
    """Run the program that starts Envoy, here one that prints its configuration and variables: exit code and output."""
    place = tmp_path / "image"
    place.mkdir()
    copy_program(place)
    (place / "envoy").write_text('#!/bin/sh\ncat "$TMPDIR/xds/edge/edge.json"\necho\nenv\n')
    (place / "envoy").chmod(0o755)
    configuration = tmp_path / "envoy.json"
    documents = {
        "bootstrap": {"admin": {"address": {"pipe": {"path": str(tmp_path / "admin.sock")}}}},
        "edge": {"exact": "${NBDEPLOY_TOKEN}", "bearer": "Bearer ${NBDEPLOY_TOKEN}"},
        "cds": {},
        "shadow": {},
    }
    configuration.write_text(json.dumps(documents))

    def run(**variables):
        ended = subprocess.run(
            [sys.executable, "-IS", place / "start.py", configuration],
            env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path), **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        return ended.returncode, ended.stdout + ended.stderr

    return run


def test_the_token_comes_from_its_variable_which_envoy_does_not_have_any_more(start, tmp_path):
    code, said = start(NBDEPLOY_TOKEN=TOKEN)
    shown = said.splitlines()
    assert (code, json.loads(shown[0])) == (0, {"exact": TOKEN, "bearer": f"Bearer {TOKEN}"})
    assert not [line for line in shown[1:] if "TOKEN" in line]
    assert (tmp_path / "xds" / "edge" / "edge.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("token", [None, "", "short", 'with-a-quote-"-in-it'])
def test_without_a_token_that_can_be_one_it_does_not_start(start, token):
    code, said = start(**({} if token is None else {"NBDEPLOY_TOKEN": token}))
    assert (code, "NBDEPLOY_TOKEN must be the token" in said) == (2, True)
    assert not token or token not in said

"""An endpoint as a Compose project that podman-compose really runs: its shares, shadow, token and records."""

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from jupyter_deploy.domain.images.compose import Composed
from tests import notebooks
from tests.conftest import free_port
from tests.e2e.conftest import until
from tests.e2e.images.test_publish import PRICED, Person
from tests.images import shared_base

# A Debian is fetched, an environment is installed, compiled and packed.
pytestmark = [pytest.mark.timeout(1500), pytest.mark.exhaustive]

TOKEN = "a-token-of-the-tests"
ASKED = 60
TOGGLES = 6  # 30 in contract/targets/test_gateway_start.py, without containers
RATES = {"stable": 1.5, "canary": 2.0, "shadow": 3.0}


class Composing(Person):
    """Has published a stable release, a canary and a shadow, which run here no more."""

    def __init__(self, folder, world, base):
        super().__init__(folder, world, base)
        self.place = f"{world.registry.host}/team/composed"
        self.port = free_port()
        self.project = folder / "project"
        self.home.environment["NBDEPLOY_REQUIRE_TOKEN"] = "true"
        self.engine.bridge()
        self.engine.environment |= {"NBDEPLOY_TOKEN": TOKEN, "DISABLE_HC_SYSTEMD": "true"}
        self.tags = {}

    def deploys_as(self, role, *options):
        # One notebook each: a candidate takes the place of the one that came from the same.
        notebook = notebooks.write(self.folder / f"{role}.ipynb", PRICED % RATES[role])
        model = ("--name", "price", "--model", "priced", "--example", "2.0", "--role", role)
        self.tags[role] = self.home.json("deploy", notebook, *model, *options, timeout=240)["release"]

    def composes(self, *options, **more):
        given = ("--output-dir", self.project, "--port", self.port)
        return self.home.json("compose", "price", *given, *options, timeout=240, **more)

    def compose(self, *arguments, check=True):
        """``podman-compose …`` in the project's folder."""
        ended = subprocess.run(
            [sys.executable, "-m", "podman_compose", *map(str, arguments)],
            env=self.engine.environment,
            cwd=self.project,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert ended.returncode == 0 or not check, f"{ended.stdout}\n{ended.stderr}"
        return ended

    def said(self, service):
        """The log of a service."""
        ended = self.compose("logs", service)
        return ended.stdout + ended.stderr

    def asks(self, *rows, token=TOKEN, path="predict"):
        headers = {"x-nbdeploy-token": token} if token else {}
        url = f"http://127.0.0.1:{self.port}/price/{path}"
        with httpx.Client(trust_env=False, timeout=30, headers=headers) as client:
            return client.post(url, json={"instances": list(rows)}) if rows else client.get(url)

    def is_healthy(self):
        """Whether each container is healthy, except the one that has ended."""
        names = [one["Name"] for service, one in self.containers().items() if service != "volumes"]
        return not any(self.engine.run("healthcheck", "run", name, check=False) for name in names)

    def volume(self, name):
        """Where a volume lies."""
        return Path(self.engine.run("volume", "inspect", "--format", "{{.Mountpoint}}", f"price_{name}"))

    def data(self, role):
        """The records and feedback of a release."""
        return self.volume(f"{self.tags[role].replace(':', '-')}-data")

    def records(self, role):
        version = self.tags[role].partition(":")[2]
        lines = [
            json.loads(line)
            for file in (self.data(role) / "records" / "price" / version).glob("*.jsonl")
            for line in file.read_text().splitlines()
        ]
        return [one for one in lines if one["role"] == role]

    def containers(self):
        """By service, podman's description of its container."""
        names = self.engine.run("ps", "--all", "--format", "{{.Names}}").split()
        found = json.loads(self.engine.run("inspect", *names)) if names else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}


@pytest.fixture(scope="module")
def person(tmp_path_factory, registry_world):
    made = Composing(tmp_path_factory.mktemp("compose"), registry_world, shared_base(tmp_path_factory))
    yield made
    made.engine.clear()
    shutil.rmtree(made.folder / "engine", ignore_errors=True)
    made.home.down()


@pytest.fixture(scope="module")
def composed(person):
    person.deploys_as("stable")
    person.deploys_as("canary", "--percent", "50")
    person.deploys_as("shadow", "--resources", "memory=600MB")
    code, said = person.refused("compose", "price", "--output-dir", person.project)
    assert code == 1
    for role, tag in person.tags.items():
        assert f"{tag} ({role})" in said
        assert f"nbdeploy publish price --release {tag}" in said
    for tag in person.tags.values():
        person.publishes("--to", person.place, "--release", tag)
    person.home.run("down")
    assert not person.project.exists()
    return person.composes()


@pytest.fixture(scope="module")
def running(person, composed):
    """Started, with requests until the canary and stable have answered."""
    person.compose("up", "--detach")
    until(person.is_healthy, timeout=300)
    answers = [person.asks(2.0) for _ in range(ASKED)]
    yield answers
    person.compose("down", "--volumes", check=False)


def test_written_files_are_listed_and_written_again_only_after_a_change(person, composed):
    assert sorted(path.name for path in person.project.iterdir()) == [
        ".nbdeploy.json", "README.md", "compose.yaml", "gateway",
    ]  # fmt: skip
    assert {file["state"] for file in composed["files"]} == {"written"}
    again = person.composes()
    assert {file["state"] for file in again["files"]} == {"unchanged"}
    assert again["gateway"] == composed["gateway"]
    assert TOKEN not in "".join(file["text"] for file in composed["files"])
    token = (Path(person.home.environment["NBDEPLOY_HOME"]) / "token.header").read_text().split()[1]
    assert not [path for path in person.project.rglob("*") if path.is_file() and token in path.read_text()]


def test_dry_run_shows_it_and_writes_nothing(person, composed):
    elsewhere = person.folder / "elsewhere"
    shown = person.home.run("compose", "price", "--output-dir", elsewhere, "--dry-run").stdout
    assert "would be written" in shown
    assert "services:" in shown
    assert not elsewhere.exists()


def test_files_changed_by_hand_are_refused_before_any_request(person, composed):
    file = person.project / "compose.yaml"
    text = file.read_text()
    try:
        file.write_text(text + "# mine\n")
        code, said = person.refused("compose", "price", "--output-dir", person.project)
        assert (code, "compose.yaml" in said, "[1/" in said) == (1, True, False)
        assert file.read_text().endswith("# mine\n")
    finally:
        file.write_text(text)


def test_an_image_that_cannot_be_pulled_ends_the_start_command(person, composed, tmp_path):
    gone = f"{person.world.registry.host}/team/gone@sha256:{'0' * 64}"
    text = (person.project / "compose.yaml").read_text().replace(composed["gateway"], gone)
    (tmp_path / "compose.yaml").write_text(text)
    command = Composed.model_validate(composed | {"folder": str(tmp_path)}).command
    command = command.replace("podman-compose", f"{sys.executable} -m podman_compose").replace("NBDEPLOY_TOKEN=… ", "")
    ended = subprocess.run(
        ["sh", "-c", command], env=person.engine.environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode != 0
    assert gone in ended.stdout + ended.stderr
    assert not person.containers()


def test_stable_and_canary_answer_in_their_shares_and_name_their_release(person, running):
    assert {answer.status_code for answer in running} == {200}
    by = {answer.headers["x-model-version"]: answer.json()["predictions"] for answer in running}
    assert by == {person.tags["stable"]: [3.0], person.tags["canary"]: [4.0]}


def test_the_shadow_gets_every_request_and_its_answers_are_recorded_next_to_stables(person, running):
    asked = {answer.headers["x-request-id"] for answer in running}

    def copies():
        return [one for one in person.records("shadow") if one["request_id"] in asked]

    until(lambda: len(copies()) == len(asked))
    assert {tuple(one["outputs"]) for one in copies()} == {(6.0,)}
    answered = [one for role in ("stable", "canary") for one in person.records(role) if one["request_id"] in asked]
    pairs = {one["pair_id"]: one["request_id"] for one in copies()}
    assert {one["pair_id"]: one["request_id"] for one in answered} == pairs
    assert len(pairs) == len(running)
    ledgers = {name: (person.volume("ledger") / "ledger" / name).read_text() for name in ("edge.jsonl", "shadow.jsonl")}
    for text in ledgers.values():
        assert pairs.keys() <= {json.loads(line)["pair_id"] for line in text.splitlines()}


def test_records_of_a_project_can_be_compared_here(person, running):
    asked = {answer.headers["x-request-id"] for answer in running}
    until(lambda: len([one for one in person.records("shadow") if one["request_id"] in asked]) == len(asked))
    for volume in (person.volume("ledger"), *map(person.data, person.tags)):
        shutil.copytree(volume, person.home.environment["NBDEPLOY_HOME"], dirs_exist_ok=True)
    found = person.home.json("compare", "price", "--candidate", person.tags["shadow"])
    stable = [answer for answer in running if answer.headers["x-model-version"] == person.tags["stable"]]
    assert found["pairs"] == len(stable) > 0
    assert found["agreement"]["value"] == 0


def test_a_client_without_a_token_is_refused_and_cannot_forge_a_role(person, running):
    assert person.asks(2.0, token=None).status_code == 401
    assert person.asks(2.0, token="another-token-of-the-tests").status_code == 401
    headers = {"x-nbdeploy-token": TOKEN, "x-rollout-role": "probe", "x-pair-id": "forged", "x-request-id": "forging"}
    url = f"http://127.0.0.1:{person.port}/price/predict"
    assert httpx.post(url, json={"instances": [2.0]}, headers=headers, trust_env=False).status_code == 200
    found = [one for role in ("stable", "canary") for one in person.records(role) if one["request_id"] == "forging"]
    assert [one["pair_id"] == "forged" for one in found] == [False]


def test_each_container_is_healthy_without_rights(person, running):
    containers = person.containers()
    until(lambda: not person.containers()["volumes"]["State"]["Running"])
    assert containers.keys() == {"gateway", "volumes", *(tag.replace(":", "-") for tag in person.tags.values())}
    for service, one in containers.items():
        assert one["HostConfig"]["ReadonlyRootfs"]
        if service == "volumes":
            continue
        assert one["State"]["Running"]
        assert not one["EffectiveCaps"]
        assert one["Config"]["User"] == "65532:65532"
    assert containers[person.tags["shadow"].replace(":", "-")]["HostConfig"]["Memory"] == 600_000_000


def test_the_containers_keep_their_images_here(person, running):
    found = person.home.json("images")["images"]
    used = {one["image"]["snapshot"] for one in found if any(user.startswith("podman ") for user in one["used_by"])}
    assert used == set(person.tags.values())


def in_force(person, traffic):
    """Write a change of the endpoint, start what it needs, and wait until the gateway says that it is in force."""
    person.home.run("traffic", "price", *traffic)
    person.home.run("down")
    person.composes()
    version = json.loads((person.project / "gateway" / "envoy.json").read_text())["edge"]["version_info"]
    person.compose("up", "--detach")
    until(lambda: f"{version} are in force" in person.said("gateway"), timeout=60)


def test_no_request_fails_while_shares_change_and_no_container_is_replaced(person, running):
    before = {service: one["Id"] for service, one in person.containers().items()}
    canary, failed, over = person.tags["canary"], [], threading.Event()

    def client():
        while not over.is_set():
            try:
                answer = person.asks(2.0)
                failed.extend([answer.text] * (answer.status_code != 200))
            except httpx.HTTPError as error:
                failed.append(repr(error))

    asking = threading.Thread(target=client)
    asking.start()
    for number in range(TOGGLES):
        in_force(person, ("--canary", f"{canary}={0 if number % 2 == 0 else 50}"))
    over.set()
    asking.join(60)
    assert not failed
    assert {service: one["Id"] for service, one in person.containers().items()} == before


def test_a_change_of_the_endpoint_is_put_in_force_and_leaves_all_containers_alone(person, running):
    before = {service: one["Id"] for service, one in person.containers().items()}
    canary = person.tags["canary"]
    in_force(person, ("--canary", f"{canary}=0"))
    until(person.is_healthy, timeout=300)
    after = {service: one["Id"] for service, one in person.containers().items()}
    assert before == after
    person.engine.run("rm", "--force", "--time", "2", after[canary.replace(":", "-")])  # nothing leads there any more
    assert {person.asks(2.0).headers["x-model-version"] for _ in range(20)} == {person.tags["stable"]}


def test_down_ends_all_containers_and_keeps_the_records(person, running):
    log = subprocess.Popen(
        [sys.executable, "-m", "podman_compose", "logs", "--follow", "gateway"],
        env=person.engine.environment, cwd=person.project, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    person.compose("down")
    assert "the gateway drains" in log.communicate(timeout=60)[0]
    assert not person.containers()
    assert person.records("stable")
    person.compose("up", "--detach")
    until(person.is_healthy, timeout=300)
    assert person.asks(4.0).json() == {"predictions": [6.0]}

"""The systemd user unit: its command, its settings, and repeated calls."""

import configparser
import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.settings import Settings
from jupyter_deploy.targets.local.settings import LocalSettings
from jupyter_deploy.targets.local.systemd import unit
from jupyter_deploy.wiring import Wiring


@pytest.fixture
def units(home, tmp_path):
    home.environment["XDG_CONFIG_HOME"] = str(tmp_path / "config")
    return tmp_path / "config" / "systemd" / "user"


def read(path):
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read_string(path.read_text())
    return parser


def test_a_unit_is_written_and_wanted_with_the_settings_of_now_and_removed_again(home, units):
    home.environment["NBDEPLOY_HOSTS"] = "box.example.org"
    del home.environment["NBDEPLOY_STANDBY"]
    (home.path / "nbdeploy.yaml").write_text("start_timeout: 12\n")
    written = home.json("reconcile", "--at-boot", "on")
    assert written["on"] is True
    path = Path(written["unit"])
    assert path.parent == units
    assert [link.resolve() for link in (units / "default.target.wants").iterdir()] == [path]
    assert home.json("reconcile", "--at-boot", "on") == written
    variables = dict(
        shlex.split(line.removeprefix("Environment="))[0].split("=", 1)
        for line in path.read_text().splitlines()
        if line.startswith("Environment=")
    )
    assert variables == {
        "NBDEPLOY_HOME": home.environment["NBDEPLOY_HOME"],
        "BENTOML_HOME": home.environment["BENTOML_HOME"],
        "NBDEPLOY_PORT": home.environment["NBDEPLOY_PORT"],
        "NBDEPLOY_HOSTS": "box.example.org",
        "NBDEPLOY_START_TIMEOUT": "12.0",
    }
    # What systemd will run, as it will run it: nothing of a shell's environment, no folder of a project.
    service = read(path)["Service"]
    bare = {"PATH": os.environ["PATH"], **variables}
    for line in (service["ExecStart"].removeprefix("-"), service["ExecStop"]):
        subprocess.run(shlex.split(line), env=bare, cwd="/", check=True, capture_output=True)

    removed = home.json("reconcile", "--at-boot", "off")
    assert (removed["on"], removed["unit"]) == (False, written["unit"])
    assert not path.exists()
    assert not list((units / "default.target.wants").iterdir())


def test_all_settings_are_handed_on_as_they_are(tmp_path, monkeypatch):
    """What is written as variables is read back as the same settings, whichever are made."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("NBDEPLOY_")]:
        monkeypatch.delenv(name)
    made = Settings(
        home=tmp_path / "home",
        BENTOML_HOME=tmp_path / "bentoml",
        resources=Resources(workers=2, memory="512 MB"),
        keep_revisions=0,
        replay_timeout=2,
        reconcile_at_server_start=False,
        standby=False,
        records_max_bytes=5_000_000_000,
        records_max_age="30d",
        redact=("ssn", "iban"),
        secrets={"DB_URL": "env:PROD_DB"},
        tolerance=Tolerance(float32_rtol=0.5),
        base_image=f"registry.example/python@sha256:{'0' * 64}",
        publish_to="registry.example/team/{name}",
        cran_mirror="https://cran.example.org",
        sign_key=tmp_path / "cosign.key",
        verify_key=tmp_path / "cosign.pub",
        records_to="s3://records/churn",
        notify="https://hooks.example.org/secret",
        notify_email="ada@example.org",
        notify_smtp="smtps://ada:secret@mail.example.org",
        notify_quiet="22:00-07:00",
        cost=0.05,
        ramp_every=5,
    )
    # What 'nbdeploy validate' runs is the folder's, and nothing that a boot does.
    assert made.model_fields_set == set(Settings.model_fields) - {"validate"}
    local = {
        "runtime": str(tmp_path / "runtime"),
        "port": 9000,
        "envoy": "/usr/bin/envoy",
        "start_timeout": 1.5,
        "predict_timeout": 3,
        "shadow_timeout": 4,
        "hosts": ["a.example.org", "*.b.example.org"],
        "public_url": "https://hub.example.org/proxy/{port}",
        "require_token": True,
        "segment_bytes": 1_000_000,
        "when_record_fails": "refuse",
        "log_format": "json",
        "otlp_endpoint": "http://127.0.0.1:4318",
    }
    assert local.keys() == LocalSettings.declared().keys()
    (tmp_path / "nbdeploy.yaml").write_text(json.dumps(local))
    made_local = made.for_target(LocalSettings)
    ports = Wiring(made).ports
    variables = ports._variables()
    assert not [name for name in ports.boot._settings if "NOTIFY" in name], "others may read a unit"
    (tmp_path / "nbdeploy.yaml").unlink()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Settings() == made
    assert Settings().for_target(LocalSettings) == made_local
    assert made_local.changed().keys() == local.keys()


def test_a_path_with_signs_that_systemd_would_expand_stays_as_it_is():
    text = unit("/opt/100%/a $b/python", Path("/home/ada/50%"), {"NBDEPLOY_HOME": '/home/a "b" \\ 100%'})
    assert 'ExecStart=-"/opt/100%%/a $$b/python" -P -m jupyter_deploy reconcile' in text
    assert 'Environment="NBDEPLOY_HOME=/home/a \\"b\\" \\\\ 100%%"' in text
    assert "Description=nbdeploy: the endpoints of /home/ada/50%%" in text

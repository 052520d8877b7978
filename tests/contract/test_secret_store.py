"""Values of secrets where their references say: the environment, files, a command, and stored ones."""

import stat
import subprocess
import sys

import pytest

from jupyter_deploy.domain.errors import InvalidInput, SecretMissing
from jupyter_deploy.system import secret_store
from jupyter_deploy.system.secret_store import SecretStore


@pytest.fixture
def store(tmp_path):
    return SecretStore(tmp_path / "home")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_each_kind_of_reference_gives_its_value(store, tmp_path, monkeypatch):
    file = tmp_path / "db url"
    file.write_text("of a file\n")
    monkeypatch.setenv("PROD_DB", "of the environment")
    monkeypatch.setenv("IN_CLUSTER", "for the proof here")
    monkeypatch.setenv("NBDEPLOY_SECRET_COMMAND", f"{sys.executable} -c 'import sys; print(\"of\", sys.argv[1])'")
    store.set("prod-db", "stored")
    references = {
        "A": "env:PROD_DB",
        "B": f"file:{file}",
        "C": "command:prod/db",
        "D": "keyring:prod-db",
        "IN_CLUSTER": "k8s:db/url",
    }
    assert store.values(references) == {
        "A": "of the environment",
        "B": "of a file",
        "C": "of prod/db",
        "D": "stored",
        "IN_CLUSTER": "for the proof here",
    }


def test_a_stored_value_is_readable_by_its_owner_alone_and_listed_without_itself(store):
    store.set("prod-db", "first")
    store.set("prod-db", "hunter22x")
    file = store.home / "secrets" / "prod-db"
    assert (mode(file), mode(file.parent)) == (0o600, 0o700)
    assert store.names() == {"prod-db": "file"}
    assert store.remove("prod-db")
    assert not store.remove("prod-db")
    assert store.names() == {}


@pytest.mark.parametrize(
    ("reference", "why", "remedy"),
    [
        ("env:NOT_THERE", "no variable NOT_THERE", "set the variable"),
        ("file:/nowhere/db", "No such file", "name a file"),
        ("keyring:prod-db", "no such secret is stored", "nbdeploy secret set prod-db"),
        ("command:prod/db", "NBDEPLOY_SECRET_COMMAND names no command", "prints the value"),
        ("k8s:db/url", "no variable DB_URL", "proof on this machine"),
    ],
)
def test_a_missing_value_is_named_with_its_variable_and_remedy(store, reference, why, remedy):
    with pytest.raises(SecretMissing, match=why) as missing:
        store.values({"DB_URL": reference})
    assert "DB_URL" in missing.value.message
    assert remedy in missing.value.remedy


def test_an_empty_value_and_a_failing_command_are_refused(store, tmp_path, monkeypatch):
    (tmp_path / "empty").write_text("\n")
    monkeypatch.setenv("NBDEPLOY_SECRET_COMMAND", f"{sys.executable} -c 'raise SystemExit(\"not unlocked\")'")
    with pytest.raises(SecretMissing, match="it is empty"):
        store.values({"A": f"file:{tmp_path / 'empty'}"})
    with pytest.raises(SecretMissing, match="not unlocked"):
        store.values({"A": "command:prod/db"})


@pytest.mark.parametrize("name", ["../outside", "", ".hidden", "a,keyring", "a b"])
def test_a_name_cannot_leave_its_folder(store, name):
    with pytest.raises(InvalidInput, match="no name of a secret"):
        store.set(name, "value")


def test_the_program_of_a_start_prints_a_value_and_no_error_shows_one(store):
    store.set("prod-db", "hunter22x")
    command = [sys.executable, "-P", "-m", secret_store.__name__, str(store.home)]
    assert (
        subprocess.run([*command, "keyring:prod-db"], capture_output=True, text=True, check=True).stdout == "hunter22x"
    )
    missing = subprocess.run([*command, "keyring:other"], capture_output=True, text=True, check=False)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "no such secret" in missing.stderr

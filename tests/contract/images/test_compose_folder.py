"""The files that compose writes into a user's folder, and those that it leaves."""

import os

import pytest

from jupyter_deploy.domain.errors import InvalidInput, Refused
from jupyter_deploy.domain.images.compose import GATEWAY_FILE
from jupyter_deploy.targets.local.compose import folder as compose_folder
from jupyter_deploy.targets.local.compose.folder import ProjectFolders

ONE = {GATEWAY_FILE: "{}\n", "README.md": "one\n", "compose.yaml": "name: one\n"}
TWO = ONE | {"compose.yaml": "name: two\n"}


@pytest.fixture
def folders():
    return ProjectFolders()


@pytest.fixture
def folder(folders, tmp_path):
    """In which ONE was written."""
    made = tmp_path / "below" / "churn-compose"
    folders.require(made, overwrite=False)
    folders.write(made, ONE)
    return made


def test_unchanged_files_are_written_again_next_to_a_users_own_files(folders, folder):
    (folder / "compose.override.yaml").write_text("mine")
    (folder / ".env").write_text("mine too")
    folders.require(folder, overwrite=False)
    folders.write(folder, TWO)
    assert folders.existing(folder) == TWO
    assert (folder / "compose.override.yaml").read_text() == "mine"


@pytest.mark.parametrize("content", [b"name: mine\n", b"\xff\xfe"])
def test_files_changed_by_hand_are_refused_by_name_without_overwrite(folders, folder, content):
    (folder / "compose.yaml").write_bytes(content)
    with pytest.raises(Refused, match=r"compose\.yaml in .* is not as nbdeploy wrote it") as refused:
        folders.require(folder, overwrite=False)
    assert "--overwrite" in refused.value.remedy
    assert (folder / "compose.yaml").read_bytes() == content
    folders.require(folder, overwrite=True)
    folders.write(folder, TWO)
    folders.require(folder, overwrite=False)


def test_files_removed_by_hand_are_written_again(folders, folder):
    (folder / "README.md").unlink()
    folders.require(folder, overwrite=False)


def test_a_folder_of_somebody_elses_is_refused_and_an_empty_one_is_not(folders, tmp_path):
    folders.require(tmp_path, overwrite=False)
    for number in range(7):
        (tmp_path / f"{number}.py").touch()
    with pytest.raises(Refused, match=r"did not write: 0\.py, 1\.py, 2\.py, 3\.py, 4\.py and 2 more"):
        folders.require(tmp_path, overwrite=False)
    folders.require(tmp_path, overwrite=True)
    folders.write(tmp_path, ONE)
    assert (tmp_path / "6.py").exists()


def test_what_is_no_folder_is_refused(folders, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match="is no folder"):
        folders.require(tmp_path / "file", overwrite=True)
    with pytest.raises(InvalidInput, match="cannot be written"):
        folders.write(tmp_path / "file" / "below", ONE)


def test_an_interrupted_compose_can_be_repeated(folders, folder, monkeypatch):
    def cut_off(path, *given):
        if path.name == "compose.yaml":
            raise KeyboardInterrupt
        write(path, *given)

    write = compose_folder.write_atomic
    monkeypatch.setattr(compose_folder, "write_atomic", cut_off)
    new = {name: f"{text}# anew\n" for name, text in ONE.items()}
    with pytest.raises(KeyboardInterrupt):
        folders.write(folder, new)
    monkeypatch.undo()
    assert folders.existing(folder) == new | {"compose.yaml": ONE["compose.yaml"]}
    folders.require(folder, overwrite=False)
    folders.write(folder, new)
    assert folders.existing(folder) == new


def test_the_gateways_configuration_can_be_read_by_the_containers_user_whatever_the_umask(folders, tmp_path, umask):
    folders.write(tmp_path / "new", ONE)
    assert (tmp_path / "new" / GATEWAY_FILE).stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "new" / GATEWAY_FILE).parent.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "new" / "compose.yaml").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def umask():
    before = os.umask(0o077)
    yield
    os.umask(before)

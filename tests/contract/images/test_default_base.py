"""The base without a setting: a short name, resolved by containers' configuration, in a real registry."""

import subprocess

import pytest

from jupyter_deploy.container_images.base_image import base_source, default_base
from jupyter_deploy.container_images.short_names import candidates
from jupyter_deploy.domain.capture.artifacts import Environment
from jupyter_deploy.domain.errors import InvalidInput
from tests.images import write_small_base

ENVIRONMENT = Environment(interpreter="/python", python="3.11.7", platform="linux-x86_64", distributions={})


@pytest.fixture
def configuration(tmp_path, monkeypatch):
    """Writes registries.conf; nothing else is configured."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    file = tmp_path / "registries.conf"
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(file))
    return file.write_text


@pytest.fixture(scope="module")
def pushed(repository, tmp_path_factory):
    """``python:3.11-slim`` in a registry of this machine; its digest."""
    base = write_small_base(tmp_path_factory.mktemp("slim") / "base")
    place = f"docker://{repository.registry}/python:3.11-slim"
    subprocess.run(["skopeo", "copy", "--quiet", "--dest-tls-verify=false", base, place], check=True)
    asked = ["skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", place]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def test_the_first_registry_that_has_it_counts_and_its_digest_is_pinned(configuration, repository, pushed):
    configuration(f'unqualified-search-registries = ["localhost:1", "{repository.registry}"]\n')
    base = default_base(ENVIRONMENT)
    assert base == f"docker://{repository.registry}/python@{pushed}"
    assert base_source(base, ENVIRONMENT).pinned == pushed


def test_an_alias_counts_before_the_registries(configuration, repository, pushed):
    configuration(
        f'unqualified-search-registries = ["localhost:1"]\n[aliases]\npython = "{repository.registry}/python"\n'
    )
    assert default_base(ENVIRONMENT).endswith(pushed)
    assert candidates("python", "3.11-slim") == [f"{repository.registry}/python:3.11-slim"]


@pytest.mark.parametrize(
    ("text", "reason", "details"),
    [
        ("", "no registry is configured for short names", ""),
        ('unqualified-search-registries = ["localhost:1"]', "none of its registries has it", "connection refused"),
    ],
)
def test_where_it_cannot_be_reached_the_error_names_the_two_lines_that_help(configuration, text, reason, details):
    configuration(text)
    with pytest.raises(InvalidInput, match=f"python:3.11-slim cannot be reached, since {reason}") as caught:
        default_base(ENVIRONMENT)
    assert "'base_image: HOST/PATH@sha256:…' into nbdeploy.yaml" in caught.value.remedy
    assert 'unqualified-search-registries = ["HOST"]\' into ' in caught.value.remedy
    assert "registries.conf" in caught.value.remedy
    assert details in caught.value.details


def test_a_registry_that_lacks_it_is_named(configuration, repository, pushed):
    configuration(f'unqualified-search-registries = ["{repository.registry}"]')
    with pytest.raises(InvalidInput) as caught:
        default_base(ENVIRONMENT.model_copy(update={"python": "3.13.1"}))
    assert f"{repository.registry}/python:3.13-slim: " in caught.value.details


def test_the_users_files_count_before_the_systems(tmp_path, monkeypatch):
    monkeypatch.delenv("CONTAINERS_REGISTRIES_CONF", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("jupyter_deploy.container_images.short_names._SYSTEM", tmp_path / "system")
    own, system = tmp_path / "containers", tmp_path / "system"
    for folder, name in ((own, "user"), (system, "system")):
        (folder / "registries.conf.d").mkdir(parents=True)
        (folder / "registries.conf").write_text(f'unqualified-search-registries = ["{name}.example"]')
    assert candidates("python", "1") == ["user.example/python:1"]
    (own / "registries.conf.d" / "1.conf").write_text('unqualified-search-registries = ["dropped-in.example"]')
    assert candidates("python", "1") == ["dropped-in.example/python:1"]
    (own / "registries.conf").write_text("no toml")
    with pytest.raises(InvalidInput, match=r"registries\.conf cannot be read"):
        candidates("python", "1")

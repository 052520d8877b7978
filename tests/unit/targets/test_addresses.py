"""The gateway's address for other machines: the settings, and the printed address."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.settings import load_settings
from jupyter_deploy.targets.local.http_client import HttpClient
from jupyter_deploy.targets.local.settings import LocalSettings
from jupyter_deploy.wiring import Wiring

LOCAL = "http://127.0.0.1:8781/churn"


def client(public_url: str | None) -> HttpClient:
    return HttpClient(public_url)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://hub.example.org/user/ada/proxy/{port}", "https://hub.example.org/user/ada/proxy/8781/churn"),
        ("https://hub.example.org/models/", "https://hub.example.org/models/churn"),
        ("http://box.example.org:{port}", "http://box.example.org:8781/churn"),
    ],
)
def test_the_public_url_takes_the_place_of_the_local_one_in_what_is_printed(
    monkeypatch: pytest.MonkeyPatch, given: str, shown: str
) -> None:
    monkeypatch.setenv("NBDEPLOY_PUBLIC_URL", given)
    asked = client(load_settings().for_target(LocalSettings).public_url)
    assert asked.public(LOCAL) == shown
    assert shlex.split(asked.command(f"{LOCAL}/predict", {}))[2] == f"{shown}/predict"


def test_without_a_public_url_the_local_one_is_printed() -> None:
    assert client(None).public(LOCAL) is None
    assert shlex.split(client(None).command(f"{LOCAL}/predict", {}))[2] == f"{LOCAL}/predict"


@pytest.mark.parametrize(
    "given",
    [
        "hub.example.org", "ftp://hub.example.org", "https://", "https://ada:secret@hub.example.org",
        "https://hub.example.org/?a=b", "https://hub.example.org/#a", "https://hub.example.org/{user}",
        "https://hub.example.org/a b", "https://hub.example.org/$(id)", "https://hub.example.org:port/",
    ],
)  # fmt: skip
def test_a_public_url_that_nothing_could_be_appended_to_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("NBDEPLOY_PUBLIC_URL", given)
    with pytest.raises(InvalidInput, match="public_url") as refused:
        load_settings()
    assert "secret" not in str(refused.value)


def test_the_gateway_knows_the_public_urls_host_and_those_that_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NBDEPLOY_HOME", str(tmp_path))
    monkeypatch.setenv("NBDEPLOY_HOSTS", "Box.example.org, *.lab.example.org")
    monkeypatch.setenv("NBDEPLOY_PUBLIC_URL", "https://Hub.example.org:8443/user/ada/proxy/{port}")
    target = Wiring().ports.targets["local"]
    assert target._settings.allowed_hosts == ("box.example.org", "*.lab.example.org", "hub.example.org")


@pytest.mark.parametrize("given", ["*", "https://box.example.org", "box.example.org:80", "a b", "-a"])
def test_what_is_no_host_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("NBDEPLOY_HOSTS", given)
    with pytest.raises(InvalidInput, match="is not a host"):
        load_settings()

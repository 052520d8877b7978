"""Completion of the command line: words, endpoints' names, releases' tags; and the scripts in the shells themselves."""

import os
import shlex
import shutil
import subprocess
import sys

import pytest

from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.faces.cli.completion import SCRIPTS, completions
from jupyter_deploy.store.store import SqliteStore
from tests.releases import release

ONE, TWO = "tumour:one", "tumour:two"


@pytest.fixture(autouse=True)
def stored(tmp_path, monkeypatch):
    """A store with two endpoints; the shell runs this Python as ``nbdeploy``."""
    monkeypatch.setenv("NBDEPLOY_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    store = SqliteStore(tmp_path / "home", "ada")
    for endpoint in (
        Endpoint.first(release("one")).with_release(release("two")).model_copy(update={"revision": 1}),
        Endpoint.first(release("x", name="churn")),
    ):
        store.save(endpoint, based_on=0, reason="", change="")
    program = tmp_path / "bin" / "nbdeploy"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m jupyter_deploy "$@"\n')
    program.chmod(0o700)
    return program


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("de", ["deploy", "describe", "delete"]),
        ("comp", ["compare", "compose", "completion"]),
        ("describe ", ["churn", "tumour"]),
        ("describe t", ["tumour"]),
        ("promote tumour tumour:", [ONE, TWO]),
        ("promote --reason because tumour tumour:t", [TWO]),
        ("promote --force tumour tumour:t", [TWO]),
        ("compare tumour --candidate tumour:t", [TWO]),
        ("traffic tumour --canary tumour:t", [f"{TWO}="]),
        ("traffic tumour --canary=tumour:t", [f"--canary={TWO}="]),
        ("diff tumo", ["tumour", ONE, TWO]),
        ("logs tumour --role s", ["stable", "shadow"]),
        ("logs tumour --rol", ["--role"]),
        ("list -o ", ["text", "json"]),
        ("completion ", ["bash", "zsh", "fish"]),
        ("deploy train", []),
        ("frobnicate ", []),
        ("describe churn ", []),
    ],
)
def test_the_last_word_is_completed(line, wanted):
    assert completions(line.split(" ")) == wanted


def test_without_a_store_nothing_is_completed_and_nothing_is_said(stored, monkeypatch, tmp_path):
    monkeypatch.setenv("NBDEPLOY_HOME", str(tmp_path / "nowhere"))
    ended = subprocess.run([stored, "__complete", "describe", ""], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.strip(), ended.stderr) == (0, "", "")
    (tmp_path / "nowhere").mkdir()
    (tmp_path / "nowhere" / "state.sqlite").write_text("no database")
    ended = subprocess.run([stored, "__complete", "describe", ""], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.strip(), ended.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("nbdeploy describe t", ["tumour"]),
        # bash replaces the text after the last ':' or '=' alone.
        ("nbdeploy promote tumour tumour:", ["one", "two"]),
        ("nbdeploy traffic tumour --canary=tumour:t", ["two="]),
        ("nbdeploy ver", ["verify"]),
    ],
)
def test_bash_completes_by_its_script(stored, line, wanted):
    program = f"""
eval "$({stored} completion bash)"
COMP_LINE={shlex.quote(line)}; COMP_POINT=${{#COMP_LINE}}
_nbdeploy; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    environment = {**os.environ, "PATH": f"{stored.parent}{os.pathsep}{os.environ['PATH']}"}
    ended = subprocess.run(["bash", "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert (ended.stdout.split(), ended.stderr) == (wanted, "")


@pytest.mark.parametrize("shell", [shell for shell in SCRIPTS if shutil.which(shell)])
def test_a_shell_accepts_its_script(stored, shell):
    script = subprocess.run([stored, "completion", shell], capture_output=True, text=True, check=True).stdout
    ended = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_an_unknown_shell_is_refused(stored):
    ended = subprocess.run([stored, "completion", "tcsh"], capture_output=True, text=True, check=False)
    assert (ended.returncode, "bash" in ended.stderr) == (2, True)

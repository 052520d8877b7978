"""The clean processes of replays, forked from a process that has imported the usual libraries.

For tests whose subject is what is captured, and not what a clean process has or lacks.
"""

import functools
import subprocess
from types import SimpleNamespace

import pytest

from jupyter_deploy.capture import replay
from jupyter_deploy.environments import environment
from tests.forked_cli import Forks

# Third-party alone: the fork imports the serving package from its own folder, as each clean process does.
_IMPORTED = (
    "numpy", "pandas", "cloudpickle", "sklearn.linear_model", "sklearn.ensemble", "sklearn.pipeline",
    "sklearn.preprocessing", "sklearn.compose",
)  # fmt: skip


@functools.cache
def _forks():
    return Forks(_IMPORTED)


def _run(command, *, cwd, env, timeout, check, **options):
    interpreter, *flags, code = command
    if interpreter != environment.interpreter().interpreter or flags != ["-P", "-c"]:
        return subprocess.run(command, cwd=cwd, env=env, timeout=timeout, check=False, **options)
    return _forks().run(["-c", code], environment=env, cwd=cwd, timeout=timeout)


@pytest.fixture
def forked_replays(monkeypatch):
    """Replay in forks."""
    own = SimpleNamespace(**(vars(subprocess) | {"run": _run}))
    monkeypatch.setattr(replay, "subprocess", own)

"""Functions with data files, captured and served in processes of their own."""

import json
import os
import subprocess
import sys

from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.system.clean_process import copy_serving


def function(source, name="f", **values):
    """A function of a notebook."""
    namespace = {"__name__": "__main__", **values}
    exec(source, namespace)
    return namespace[name]


def capture(capturer, model, project, example=3, *, include=(), told=None):
    live = Live(model, example, Source(variable="f"), None, (), project, include=include)
    staged = capturer.stage(live, "f")
    try:
        proved = capturer.replay(staged, live, *([told] if told else []))
        return capturer.keep(proved, lambda _: None)
    finally:
        capturer.discard(staged)


SERVE = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from serving import load
model = load(sys.argv[2])
print(json.dumps([model.answer([int(n)])[0] for n in sys.argv[3:]]), flush=True)
print(os.getcwd(), os.environ["NBDEPLOY_RECORDS"], flush=True)
sys.stdin.read()
"""


def serving(tmp_path, snapshot, *numbers):
    """A process that serves a snapshot from another folder, with a temporary folder of its own; it waits."""
    code, temporary = tmp_path / "code", tmp_path / "tmp"
    if not code.exists():
        copy_serving(code)
        temporary.mkdir()
    return subprocess.Popen(
        [sys.executable, "-P", "-c", SERVE, code, snapshot.path, *map(str, numbers)],
        cwd="/",
        env={"PATH": os.environ["PATH"], "TMPDIR": str(temporary), "NBDEPLOY_RECORDS": "records"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def served(tmp_path, snapshot, *numbers):
    """What it answers."""
    with serving(tmp_path, snapshot, *numbers) as process:
        said, _ = process.communicate(timeout=120)
    return json.loads(said.splitlines()[0])


def workplaces(tmp_path):
    return list((tmp_path / "tmp").glob("nbdeploy-workplace-*"))

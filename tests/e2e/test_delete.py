"""An endpoint is deleted with what hangs on it; a kill at any moment leaves a rest that the next delete removes."""

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from jupyter_deploy.comparison.record_log import RecordLog
from tests.e2e.conftest import ROW
from tests.e2e.processes import processes

pytestmark = pytest.mark.timeout(1800)

NEIGHBOUR = "other"

DIES = """
import os, signal, sys

count, last = 0, int(sys.argv[1])
CHANGES = ("os.remove", "os.rename", "os.rmdir", "sqlite3.connect", "socket.connect", "fcntl.flock")

def step(event, arguments):
    global count
    if event in CHANGES or (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
        count += 1
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(step)
import atexit
atexit.register(lambda: print(count, file=sys.stderr))
from jupyter_deploy.faces.cli.main import main
main(sys.argv[2:])
"""


def ask(url, times=1):
    for _ in range(times):
        httpx.post(f"{url}/predict", json={"instances": [ROW]}, trust_env=False).raise_for_status()


def traces(home, name):
    """Files below the home that are named after the endpoint, but for its lock; and its lines."""
    folder = Path(home.environment["NBDEPLOY_HOME"])
    of_others = ("locks", f"release-{NEIGHBOUR}.")  # a release of the neighbour has the snapshot's name too
    named = [path for path in folder.rglob("*") if name in path.name and not any(one in str(path) for one in of_others)]
    log = RecordLog(folder)
    counted = log.purge(name, before=None, request_ids=(), dry_run=True)
    return [str(path) for path in named], (counted.records, counted.feedback, counted.ledger_lines)


@pytest.fixture
def lived(home, deploy, tmp_path):
    """An endpoint with a shadow, records and feedback, in a BentoML store of its own; a neighbour runs its snapshot."""
    home.environment["BENTOML_HOME"] = str(shutil.copytree(home.environment["BENTOML_HOME"], tmp_path / "bentoml"))
    deploy(1.0, "--name", NEIGHBOUR)
    url = deploy(1.0)["url"]
    deploy(0.01)
    ask(url, 3)
    ask(url.replace("churn", NEIGHBOUR), 2)
    feedback = {"request_id": "r", "row": 0, "actual": "yes"}
    httpx.post(f"{url}/feedback", json=feedback, trust_env=False).raise_for_status()
    return url


def test_a_delete_is_shown_asked_for_and_leaves_nothing_but_what_gc_removes(lived, home, deploy):
    """One story, since each endpoint takes seconds to make."""
    used, unused = (one["tag"] for one in home.json("describe", "churn")["releases"])
    shown = home.json("delete", "churn", "--dry-run")
    assert (shown["endpoint"], shown["dry_run"], shown["revisions"]) == ("churn", True, 2)
    assert shown["releases"] == [used, unused]
    # The check at each start is a record too; the ledger has a line for each prediction and for each copy.
    assert (shown["records"] >= 3 + 2, shown["feedback"], shown["ledger_lines"] >= 3) == (True, 1, True)
    assert shown["bytes"] > 0
    assert home.json("gc", "--dry-run")["snapshots"] == [], "an endpoint uses them"

    for options, words in (((), "--yes"), (("--yes", "--if-revision", "1"), "is at revision 2, not 1")):
        refused = home.run("delete", "churn", *options, "-o", "json", check=False)
        assert (refused.returncode, words in refused.stderr) == (1, True), refused.stderr
    assert json.loads(home.run("delete", "churn", "-o", "json", check=False).stderr)["error"]["code"] == "unconfirmed"
    assert on_a_terminal(home, "n") == 1
    assert home.json("describe", "churn")["revision"] == 2, "nothing of this deletes"

    kept = home.json("delete", "churn", "--yes", "--keep-records", "--reason", "replaced")
    assert (kept["kept_records"], kept["revisions"], [one["tag"] for one in kept["snapshots"]]) == (True, 2, [unused])
    assert [one["name"] for one in home.json("list")] == [NEIGHBOUR]
    assert "replaced" in home.run("describe", "churn", check=False).stderr
    _, (records, feedback, lines) = traces(home, "churn")
    assert (records >= 5, feedback, lines >= 3) == (True, 1, True)
    assert home.json("delete", "churn", "--dry-run")["records"] == records

    assert on_a_terminal(home, "y") == 0
    assert traces(home, "churn") == ([], (0, 0, 0))
    assert "there is no endpoint 'churn'" in home.run("delete", "churn", "--yes", check=False).stderr
    ask(lived.replace("churn", NEIGHBOUR))
    assert httpx.post(f"{lived}/predict", json={"instances": [ROW]}, trust_env=False).status_code == 404

    collected = home.json("gc")
    assert [one["tag"] for one in collected["snapshots"]] == [unused], f"{used} still serves {NEIGHBOUR}"
    assert collected["freed"] >= collected["snapshots"][0]["size"] > 0
    store = Path(home.environment["BENTOML_HOME"])
    assert not any((store / kind / unused.replace(":", "/")).exists() for kind in ("models", "bentos"))
    assert home.json("gc")["snapshots"] == []

    assert deploy(1.0)["revision"] == 1, "the name begins anew"
    ask(lived)
    assert [one["revision"] for one in home.json("history", "churn")] == [1]
    ended = subprocess.run(
        [sys.executable, "-c", IN_A_NOTEBOOK],
        env=home.environment, cwd=home.path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    printed = [shown for shown in ended.stdout.splitlines() if not shown.startswith("<IPython")]  # progress
    assert printed == ["unconfirmed True", "1", "churn"], ended.stdout
    assert [one["name"] for one in home.json("list")] == [NEIGHBOUR]


IN_A_NOTEBOOK = """
import jupyter_deploy
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
jupyter_deploy.load_ipython_extension(shell)
try:
    jupyter_deploy.delete("churn")
except jupyter_deploy.DeployError as error:
    print(error.code, "yes=True" in str(error))
print(shell.run_line_magic("deploy_delete", "churn --dry-run -o json")["revisions"])
print(jupyter_deploy.delete("churn", yes=True).endpoint)
"""


def on_a_terminal(home, answer):
    """Delete by a terminal, with this answer to the question; the exit code."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "jupyter_deploy", "delete", "churn"]
    asked = subprocess.Popen(
        command, env=home.environment, cwd=home.path, stdin=theirs, stderr=theirs, stdout=subprocess.DEVNULL
    )
    os.close(theirs)
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(ours, 1000)
    assert b"would be deleted permanently" in shown
    os.write(ours, f"{answer}\n".encode())
    code = asked.wait(timeout=120)
    os.close(ours)
    return code


def killed(home, at, *arguments):
    """Run the command line and kill it at its n-th change of the disk or of a process; how many it makes if it ends."""
    command = [sys.executable, "-c", DIES, str(at), *arguments]
    return subprocess.run(
        command, env=home.environment, cwd=home.path, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("moments", [3, pytest.param(40, marks=pytest.mark.exhaustive)])
def test_a_delete_that_was_killed_anywhere_is_completed_by_the_next(lived, home, deploy, moments):
    ended = killed(home, 0, "delete", "churn", "--yes")
    assert ended.returncode == 0, ended.stderr
    total = int(ended.stderr.splitlines()[-1])
    for number in range(moments):
        url = deploy(1.0)["url"]
        deploy(0.01)
        ask(url)
        moment = 1 + number * (total - 1) // max(1, moments - 1)
        killed(home, moment, "delete", "churn", "--yes")
        completed = home.run("delete", "churn", "--yes", check=False)
        assert completed.returncode == 0 or "there is no endpoint" in completed.stderr, (moment, completed.stderr)
        assert traces(home, "churn") == ([], (0, 0, 0)), moment
        assert [one["name"] for one in home.json("list")] == [NEIGHBOUR], moment
        running = [" ".join(process.cmdline()) for process in processes(home)]
        assert not [line for line in running if "release-churn" in line], moment

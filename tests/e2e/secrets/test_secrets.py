"""A model with a secret: the value reaches the model at each start, and stays where the reference says."""

import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import yaml

from tests.e2e.conftest import until
from tests.notebooks import write

CELL = """
import os, urllib.request

def balance(customer: int) -> float:
    url = os.environ["DB_URL"]
    print("asking", url)
    if customer < 0:
        raise ValueError(f"no customer {customer} in {url}")
    password, _, host = url.removeprefix("bank://").partition("@")
    request = urllib.request.Request(f"http://{host}/{customer}", headers={"x-password": password})
    return float(urllib.request.urlopen(request, timeout=30).read())
"""


VALIDATION = """
from jupyter_deploy import check, model

check("balance", list(model().predict([5])) == [50])
"""


class Bank(ThreadingHTTPServer):
    """A server that answers who knows the password."""

    password = "hunter22x"

    @property
    def url(self):
        return f"bank://{self.password}@127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.headers["x-password"] == self.server.password
        self.send_response(200 if known else 403)
        self.end_headers()
        self.wfile.write(b"%d" % (10 * int(self.path[1:])))

    def log_message(self, *_):
        """Stay silent."""


@pytest.fixture
def bank():
    with Bank(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def leaks(folder, value):
    """The files below a folder that have a value."""
    return [path for path in Path(folder).rglob("*") if path.is_file() and value.encode() in path.read_bytes()]


def runtime_of(home):
    """The folder of the home's processes."""
    return Path(json.loads((home.path / "nbdeploy" / "gateway.json").read_text())["runtime"])


def worker_of(home):
    """The process of the release that runs."""
    (file,) = runtime_of(home).glob("pids/release-accounts*")
    return int(file.read_text().split()[0])


def require_same_references_elsewhere(home, folder):
    """A validation and a batch read the release's present references; the variable of its capture is gone."""
    validation = write(folder / "checks.ipynb", VALIDATION)
    validated = home.json("validate", validation, "--snapshot", "accounts")
    assert validated["verdict"] == "pass"
    (folder / "customers.csv").write_text("customer\n3\n4\n-1\n")
    places = ["--source", folder / "customers.csv", "--sink", folder / "balances"]
    shown = home.run("batch", "accounts", *places, "--format", "csv", "--max-errors", "1")
    assert "no customer -1 in ***" in shown.stdout
    assert leaks(folder / "balances", "hunter22x") == [], "a reason has no secret"
    balances = "".join(path.read_text() for path in (folder / "balances").rglob("*.csv"))
    assert [line for line in ("30", "40") if line in balances.split()] == ["30", "40"], balances


NAMED = ["--name", "accounts", "--model", "balance", "--example", "1"]


def test_a_value_as_an_option_and_a_missing_value_are_refused_before_slow_work(home, tmp_path):
    notebook = write(tmp_path / "train.ipynb", CELL)
    refused = home.run("deploy", notebook, *NAMED, "--secret", "DB_URL=bank://hunter22x@127.0.0.1", check=False)
    assert (refused.returncode, "never as its value" in refused.stderr, "hunter22x" in refused.stderr) == (
        2,
        True,
        False,
    )
    refused = home.run("deploy", notebook, *NAMED, "--secret", "DB_URL=env:PROD_DB", check=False)
    assert refused.returncode == 2, refused.stderr
    assert "no variable PROD_DB" in refused.stderr
    assert "running train.ipynb" not in refused.stderr, "it is refused before slow work"


def test_a_secret_reaches_the_model_at_each_start_and_no_file(home, bank, tmp_path):
    """One story, since each deploy takes seconds."""
    notebook = write(tmp_path / "train.ipynb", CELL)
    value = bank.url

    home.environment["PROD_DB"] = value
    deployed = home.json("deploy", notebook, *NAMED, "--secret", "DB_URL=env:PROD_DB")
    assert deployed["secrets"] == {"DB_URL": "env:PROD_DB"}
    del home.environment["PROD_DB"]
    url = deployed["url"]

    def answer(customer):
        return httpx.post(f"{url}/predict", json={"instances": [customer]}, trust_env=False, timeout=60)

    assert answer(2).json()["predictions"] == [20.0]
    assert answer(-1).status_code == 500
    log = "\n".join(path.read_text() for path in (home.path / "nbdeploy" / "logs").glob("release-*"))
    assert "asking ***" in log, "what the model prints is masked"
    assert "no customer -1 in ***" in log
    record = until(lambda: [one for one in home.run("logs", "accounts").stdout.splitlines() if "-1" in one])
    assert "hunter22x" not in "".join(record)
    assert leaks(home.path, "hunter22x") == []
    (kept,) = leaks(runtime := runtime_of(home), "hunter22x")
    assert (kept.name, kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == ("DB_URL", 0o600, 0o700)

    killed = worker_of(home)
    os.kill(killed, signal.SIGKILL)
    until(lambda: worker_of(home) not in (killed, 0))
    until(lambda: answer(1).status_code == 200)

    # Another place, by the document: the processes of the former one are replaced.
    home.run("secret", "rm", "prod-db", check=False)
    store = home.path / "nbdeploy" / "secrets"
    store.mkdir(mode=0o700)
    (store / "prod-db").write_text(value)
    document = yaml.safe_load(home.run("describe", "accounts", "-o", "yaml").stdout)
    assert document["releases"][0]["secrets"] == {"DB_URL": "env:PROD_DB"}
    document["releases"][0]["secrets"] = {"DB_URL": "keyring:prod-db"}
    file = tmp_path / "accounts.yaml"
    file.write_text(yaml.safe_dump(document))
    assert "DB_URL from keyring:prod-db" in home.run("plan", file, check=False).stdout
    home.run("apply", file)
    assert "DB_URL from keyring:prod-db" in home.run("history", "accounts").stdout
    assert answer(2).json()["predictions"] == [20.0]

    require_same_references_elsewhere(home, tmp_path)

    # A changed password needs no new release: the next start reads it.
    bank.password = "correct-horse"
    assert answer(1).status_code == 500
    (store / "prod-db").write_text(bank.url)
    os.kill(worker_of(home), signal.SIGKILL)
    until(lambda: answer(1).status_code == 200)

    home.run("down")
    assert leaks(runtime, "hunter22x") == leaks(runtime, "correct-horse") == [], (
        "what was kept for the processes is gone"
    )
    assert leaks(home.path, "correct-horse") == [store / "prod-db"]
    home.run("secret", "rm", "prod-db")
    failed = home.run("reconcile", check=False)
    assert failed.returncode != 0, "a reboot finds no value"
    assert "nbdeploy secret set prod-db" in failed.stdout + failed.stderr

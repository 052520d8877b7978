"""A notebook whose model opens files, deployed headless and called away from its folder."""

import os
import shutil
import subprocess
import sys

import httpx

from tests import notebooks
from tests.conftest import free_port
from tests.e2e.conftest import until

MODEL = """import csv
def price(area):
    with open("../data/prices.csv") as file:
        per_metre = float(next(csv.DictReader(file))["price"])
    with open(%r) as file:
        return per_metre * area + float(file.read())
"""


def ask(url):
    answer = httpx.post(f"{url}/predict", json={"instances": [2.0]}, trust_env=False, timeout=30)
    return answer.json().get("predictions")


def ready(url):
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def test_a_model_that_opens_files_answers_through_the_gateway_and_under_plain_bentoml_with_its_project_gone(
    home, tmp_path
):
    project, fees = tmp_path / "project", tmp_path / "fees" / "fee.txt"
    for folder in (project / ".git", project / "notebooks", project / "data", fees.parent):
        folder.mkdir(parents=True)
    (project / "data" / "prices.csv").write_text("price\n10\n")
    fees.write_text("5")
    notebook = notebooks.write(project / "notebooks" / "prices.ipynb", MODEL % str(fees))
    command = ("deploy", notebook, "--name", "prices", "--model", "price", "--example", "3.0")
    refused = home.run(*command, check=False)
    assert refused.returncode == 1, refused.stderr
    assert f"price(), line 5, opens {fees}, which is outside the project {project}" in refused.stderr
    assert f"--include {fees}" in refused.stderr
    assert "--waive outside-files" in refused.stderr
    deployment = home.json(*command, "--include", os.path.relpath(fees, home.path))  # to where it is run
    shutil.rmtree(project)
    shutil.rmtree(fees.parent)
    assert ask(deployment["url"]) == [25.0]
    home.run("stop", "prices")

    temporary, port = tmp_path / "tmp", free_port()
    temporary.mkdir()
    server = subprocess.Popen(
        [sys.executable, "-m", "bentoml", "serve", deployment["release"], "--host", "127.0.0.1", "--port", str(port)],
        cwd=temporary,
        env=home.environment | {"TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: ready(url))
        assert ask(url) == [25.0]
    finally:
        server.terminate()
        server.wait(120)
    assert list(temporary.glob("*workplace*")) == []

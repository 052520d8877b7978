"""From a model in a kernel to a release, by HTTP and the kernel alone, as JupyterLab does it."""

import json

import pytest

from tests import notebooks
from tests.e2e.conftest import TRAIN
from tests.e2e.jupyter import events, jupyter_server
from tests.kernels import kernel


@pytest.mark.timeout(480)
@pytest.mark.exhaustive  # its guards: test_bridge_capture.py, and the deploys of test_lab_extension.py
def test_a_kernels_model_is_deployed_and_the_next_one_shadows_it(home, tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    environment = {**home.environment, "JPY_SESSION_NAME": str(notebooks.write(folder / "train.ipynb", TRAIN % 1.0))}
    found = []
    with (
        jupyter_server(home) as server,
        server.client() as client,
        kernel(environment, folder) as running,
        client.stream("GET", "events") as stream,
    ):
        lines = events(stream.iter_lines())
        for c, reason in ((1.0, "the first"), (0.01, "the second")):
            running.run(TRAIN % c)
            body = {"model": "clf", "name": "churn", "example": "X[:3]", "reason": reason}
            job = client.post("captures", json=body).json()
            asked = client.post(f"captures/{job['id']}", json={"kernel": running.ask("found")["pid"]}).json()
            assert (asked["state"], asked["kernel"]) == ("waiting", None)
            assert asked["asked"]
            assert running.ask("capture", job["id"])["state"] == "queued"
            ended = next(
                data["data"]
                for event, _, data in lines
                if event == "job" and data["job"] == job["id"] and data["data"].get("state") in ("done", "failed")
            )
            assert ended["state"] == "done", json.dumps(ended["problem"])
            found.append((ended["result"]["role"], ended["result"]["url"]))
        described = client.get("views/endpoint", params={"name": "churn"}).json()
    assert [role for role, _ in found] == ["stable", "shadow"]
    assert [card["role"] for card in described["cards"]] == ["stable", "shadow"]
    assert {card["variable"] for card in described["cards"]} == {"clf"}
    assert [row["reason"] for row in described["history"]] == ["the second", "the first"]

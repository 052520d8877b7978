"""What a user's homes hold is for that user alone, whatever the umask says."""

import os
import stat
import sys
from pathlib import Path

import httpx
import pytest

from jupyter_deploy.records.compaction import compact_all
from tests import notebooks
from tests.conftest import make_home
from tests.e2e.conftest import until

pytestmark = [pytest.mark.timeout(900), pytest.mark.exhaustive]

TRAIN = """
import pandas as pd
from pathlib import Path
Path("table.csv").write_text("age\\n30\\n")

class Risk:
    def predict(self, frame):
        print("asked")
        return [str(LEAST) + Path("table.csv").read_text()[:3] for age in frame["age"]]

model = Risk()
X = pd.DataFrame({"age": [30, 60]})
"""

FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def open_to_others(folder):
    """Paths below a folder with a bit for the group or for others; a link's own mode says nothing."""
    found = []
    for path in [folder, *folder.rglob("*")]:
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and mode & FOR_OTHERS:
            found.append(f"{stat.filemode(mode)} {path}")
    return found


@pytest.fixture
def careless(tmp_path):
    """A home of a user whose umask is 000, with a name that is not ASCII and in a locale that is not installed."""
    before = os.umask(0)
    home = make_home(tmp_path / "maison é")
    home.environment |= {"LC_ALL": "xx_XX.UTF-8", "PYTHONUTF8": "0"}
    home.environment["XDG_RUNTIME_DIR"] = str(tmp_path / "run")
    Path(home.environment["XDG_RUNTIME_DIR"]).mkdir(mode=0o700)
    home.python = f"{sys.prefix}/bin/python3"  # a process of its own, which inherits the umask
    yield home
    home.down()
    os.umask(before)


def test_with_umask_000_no_file_is_for_others(careless):
    home = careless
    for least in (40, 50):
        path = notebooks.write(home.path / "train.ipynb", TRAIN.replace("LEAST", str(least)))
        home.run("deploy", path, "--name", "risk", "--model", "model", "--example", "X")
    url = home.json("describe", "risk")["url"]
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        large = {"instances": [{"age": age} for age in range(5000)]}
        for body in ({"instances": [{"age": 1}]}, large, {"instances": [{}]}):
            client.post("/predict", json=body)
        request_id = client.post("/predict", json={"instances": [{"age": 1}]}).headers["x-request-id"]
        assert client.post("/feedback", json={"request_id": request_id, "actual": "x"}).status_code == 200
    until(lambda: len(home.json("logs", "risk")) == 8)
    home.run("promote", "risk", "--reason", "better", "--force", check=False)
    homes = [Path(home.environment[name]) for name in ("NBDEPLOY_HOME", "BENTOML_HOME", "XDG_RUNTIME_DIR")]
    assert [found for folder in homes for found in open_to_others(folder)] == []
    home.run("down")
    assert compact_all(homes[0]) == []
    assert list(homes[0].rglob("*.parquet"))
    assert [found for folder in homes for found in open_to_others(folder)] == []

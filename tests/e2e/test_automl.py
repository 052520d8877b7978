"""From a table to a deployed shadow by one command, without code."""

import httpx
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes

FAST = ("--trials", "2", "--native-only")


def tumours(folder):
    data = load_breast_cancer(as_frame=True)
    path = folder / "tumours.parquet"
    data.data.assign(diagnosis=data.target.map(dict(enumerate(data.target_names)))).to_parquet(path)
    return path, "diagnosis"


def diabetes(folder):
    path = folder / "diabetes.parquet"
    load_diabetes(as_frame=True).frame.to_parquet(path)
    return path, "target"


@pytest.mark.timeout(600)
def test_a_table_becomes_an_endpoint(home, tmp_path):
    path, label = tumours(tmp_path)
    search = ("automl", path, "--label-column", label, *FAST, "--notebook", tmp_path / "found.ipynb")
    found = home.json(*search, "--deploy", "found", timeout=600)
    assert (found["beaten"], found["proved_rows"]) == (True, found["held_out"])
    assert {row["name"] for row in found["table"]["candidates"]} == {"linear", "lightgbm", "ensemble", "baseline"}
    (release,) = home.json("describe", "found")["releases"]
    assert (release["role"], release["choice"]["chosen"]) == ("stable", found["chosen"])
    assert "application/vnd.nbdeploy.candidates.v1+json" in (tmp_path / "found.ipynb").read_text()

    refused = home.run(*search, check=False)
    assert (refused.returncode, "exists already" in refused.stderr) == (2, True)


@pytest.mark.exhaustive  # its guard: the test above
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("make", [tumours, diabetes])
def test_a_second_search_becomes_a_shadow(home, tmp_path, make):
    path, label = make(tmp_path)
    search = ("automl", path, "--label-column", label, *FAST, "--deploy", "found")
    first = home.json(*search, "--notebook", tmp_path / "first.ipynb", "--seed", "1", timeout=600)
    home.json(*search, "--notebook", tmp_path / "second.ipynb", "--seed", "2", "--budget", "p99 <= 10s", timeout=600)
    described = home.json("describe", "found")
    assert [release["role"] for release in described["releases"]] == ["stable", "shadow"]
    assert all(release["choice"]["metric"] == first["metric"] for release in described["releases"])
    row = dict.fromkeys(_features(path, label), 1.0)
    answer = httpx.post(f"{described['url']}/predict", json={"instances": [row]}, trust_env=False)
    assert len(answer.json()["predictions"]) == 1


def _features(path, label):
    import pandas as pd

    return [name for name in pd.read_parquet(path).columns if name != label]

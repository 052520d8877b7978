"""Exports: their clients answer as the original, and the program that checks them notices other answers and files."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from xgboost import XGBClassifier

from jupyter_deploy.artifacts.onnx_export.exporter import CLIENTS, OnnxExporter
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Snapshot, Tolerance
from jupyter_deploy.domain.errors import InvalidInput, Refused
from tests.contract.capturing import live

X, Y = load_breast_cancer(return_X_y=True)
RANDOM = np.random.default_rng(7)
LOANS = pd.DataFrame(
    {
        "age": RANDOM.integers(18, 80, 300).astype(float),
        "income": np.where(RANDOM.random(300) < 0.1, np.nan, RANDOM.normal(3000, 900, 300)),
        "region": RANDOM.choice(["north", 'the "south"', "Östland"], 300),
    }
)
PAID = np.where(LOANS["age"] > 45, "ja", "nein")


def _loans():
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    texts = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = ColumnTransformer([("n", numbers, ["age", "income"]), ("t", texts, ["region"])])
    return make_pipeline(columns, LogisticRegression())


REVIEWS = [" ".join(RANDOM.choice(["good", "bad", "Größe", "new", "york"], 4).tolist()) for _ in range(80)]


def _texts():
    return make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression())


MODELS = {
    "a forest of texts": (RandomForestClassifier(10, random_state=0), X, np.array(["no", "yes"])[Y], "predict"),
    "a pipeline by column": (_loans(), LOANS, PAID, "predict_proba"),
    "a pipeline's labels": (_loans(), LOANS, PAID, "predict"),
    "numbers": (GradientBoostingRegressor(n_estimators=10, random_state=0), X, X[:, 0], "predict"),
    "texts": (_texts(), REVIEWS, np.array(["no", "yes"])[[int("good" in text) for text in REVIEWS]], "predict_proba"),
    "32 bits": (XGBClassifier(n_estimators=10, random_state=0), X, Y, "predict_proba"),
}


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """An export of each model, by its name."""
    home = tmp_path_factory.mktemp("exports")
    capturer = ModelCapturer(home, Tolerance(), 60)
    made = {}
    for name, (model, table, labels, method) in MODELS.items():
        model.fit(table, labels)
        handed_over = live(model, table[:20], method)
        staged = capturer.stage(_translated(handed_over), "loans")
        snapshot = Snapshot(tag="loans:1", digest="sha256:1", fingerprint="1", path=str(staged.folder),
                            manifest=staged.manifest)  # fmt: skip
        folder = home / name
        about = {"endpoint": "loans", "release": snapshot.tag, "signed_by": None}
        exported = OnnxExporter().write(snapshot, folder, about)
        assert sum(exported.rows.values()) == len((folder / "conformance" / "answers.tsv").read_text().split("\n")) - 2
        capturer.discard(staged)
        made[name] = folder
    return made


def _translated(handed_over):
    from dataclasses import replace

    return replace(handed_over, engine="onnx")


def check(folder, *command, cwd=None):
    words = [sys.executable, str(folder / "check.py"), *map(str, command)]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=cwd or folder)


def require_agreement(exports, *command, cwd=None):
    for name, folder in exports.items():
        ended = check(folder, *command, cwd=cwd)
        assert ended.returncode == 0, f"{name}: {ended.stdout}{ended.stderr}"
        rows = len((folder / "conformance" / "answers.tsv").read_text().split("\n")) - 2
        assert f"{rows} of {rows} answers agree" in ended.stdout


def clients_of(exports, file):
    return next(iter(exports.values())) / "clients" / file


def test_the_python_client_answers_as_the_originals(exports):
    require_agreement(exports, sys.executable, clients_of(exports, "client.py"))


def test_the_data_set_has_rows_of_each_origin_and_none_of_the_training_table(exports):
    manifest = json.loads((exports["a pipeline by column"] / "manifest.json").read_text())
    assert set(manifest["conformance"]["rows"]) == {"example", "random", "category"}
    inputs = (exports["a pipeline by column"] / "conformance" / "inputs.tsv").read_text().split("\n")
    assert inputs[0] == "age\tincome\tregion"
    example = {f"{row.age}\t{row.income}".replace("nan", "NaN") for row in LOANS[:20].itertuples()}
    later = {f"{row.age}\t{row.income}".replace("nan", "NaN") for row in LOANS[20:].itertuples()} - example
    assert example & {line.rpartition("\t")[0] for line in inputs}
    assert not later & {line.rpartition("\t")[0] for line in inputs}
    forest = json.loads((exports["a forest of texts"] / "manifest.json").read_text())
    assert "threshold" in forest["conformance"]["rows"]
    assert forest["raises"]["numbers"]["infinite"] == list(range(30))


def test_an_export_of_texts_says_how_their_words_are_found(exports):
    manifest = json.loads((exports["texts"] / "manifest.json").read_text())
    words = {"pattern": TfidfVectorizer().token_pattern, "lower": True, "accents": "", "stop": []}
    assert manifest["words"] == {"X": words}
    assert manifest["inputs"] == [{"name": "X", "type": "string", "columns": ["X"]}]
    assert set(manifest["conformance"]["rows"]) == {"example", "random", "words"}
    assert json.loads((exports["numbers"] / "manifest.json").read_text())["words"] == {}


def test_the_manifest_has_the_digests_of_all_files(exports):
    folder = exports["numbers"]
    manifest = json.loads((folder / "manifest.json").read_text())
    written = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert set(manifest["files"]) == written - {"manifest.json"}
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert {one["file"] for one in manifest["clients"]} == {one.file for one in CLIENTS}


def test_another_answer_and_a_changed_file_are_noticed(exports, tmp_path):
    folder = exports["numbers"]
    wrong = tmp_path / "wrong.py"
    wrong.write_text(clients_of(exports, "client.py").read_text().replace("in answers.", "in (answers + 1e-6)."))
    ended = check(folder, sys.executable, wrong)
    assert ended.returncode == 1, ended.stdout
    assert "0 of" in ended.stdout
    assert check(folder).returncode == 0
    graph = folder / "model.onnx"
    before = graph.read_bytes()
    graph.write_bytes(before + b"\0")
    try:
        ended = check(folder)
        assert (ended.returncode, "model.onnx" in ended.stdout) == (2, True)
    finally:
        graph.write_bytes(before)


def test_a_folder_with_files_is_refused(tmp_path):
    exporter = OnnxExporter()
    exporter.require(tmp_path / "new", overwrite=False)
    exporter.require(tmp_path, overwrite=False)
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(Refused, match=r"mine\.txt"):
        exporter.require(tmp_path, overwrite=False)
    exporter.require(tmp_path, overwrite=True)
    with pytest.raises(InvalidInput, match="no folder"):
        exporter.require(tmp_path / "mine.txt", overwrite=True)


@pytest.mark.exhaustive  # its guard: test_the_python_client_answers_as_the_originals
def test_the_clients_in_cpp_and_r_answer_as_the_originals(exports, tmp_path):
    program = tmp_path / "client"
    source = clients_of(exports, "client.cpp")
    command = ["c++", "-std=c++17", "-O2", source, "-I/usr/include/onnxruntime", "-lonnxruntime", "-o", program]
    subprocess.run(command, check=True)
    require_agreement(exports, program)
    require_agreement(exports, "Rscript", clients_of(exports, "client.R"), cwd=tmp_path)


@pytest.mark.exhaustive  # its guard: test_the_python_client_answers_as_the_originals
def test_the_client_in_javascript_answers_as_the_originals(exports, tmp_path):
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "onnxruntime-node@1.23"]
    subprocess.run(command, check=True, cwd=tmp_path)
    client = tmp_path / "client.mjs"  # node looks for modules next to it
    client.write_bytes(clients_of(exports, "client.mjs").read_bytes())
    require_agreement(exports, "node", client)

"""A framework is added in one file: the rest of the package names none."""

import ast
from importlib import metadata
from pathlib import Path

import jupyter_deploy

PACKAGE = Path(jupyter_deploy.__file__).parent

VALUES = {"numpy", "torch"}
"""Their arrays and tensors are values of requests, whatever the model is made with."""

OWN = ("capture/frameworks/", "serving/natives/")

NAMED = {
    "domain/capture/translation.py": {"onnx"},
    "domain/export.py": {"onnx"},
    "model_search/autogluon_engine.py": {"lightgbm"},
    "model_search/families.py": {"lightgbm"},
    "model_search/table.py": {"lightgbm", "sklearn"},
}
"""The values of --engine, which serves models of any framework; and the libraries that a search writes cells of, and
asks for before it begins: what it finds is deployed as a model of any framework is."""


def literals(file):
    return {node.value for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant)}


def test_no_module_outside_of_the_frameworks_own_names_one():
    known = {entry.name for entry in metadata.entry_points(group="nbdeploy.frameworks")} - VALUES
    assert {"sklearn", "xgboost", "statsmodels"} <= known
    naming = {
        name: sorted(found)
        for file in PACKAGE.rglob("*.py")
        if not (name := file.relative_to(PACKAGE).as_posix()).startswith(OWN)
        and (found := {text for text in literals(file) if isinstance(text, str)} & known - NAMED.get(name, set()))
    }
    assert naming == {}


def test_the_shared_parts_of_the_frameworks_name_none():
    """Each name is in its own file alone; the base, the boosters and the parameters are shared."""
    known = {entry.name for entry in metadata.entry_points(group="nbdeploy.frameworks")}
    for name in ("__init__", "base", "boosters", "parameters"):
        assert not {text for text in literals(PACKAGE / f"capture/frameworks/{name}.py") if text in known}

"""The keys of a stored pass: the gates of a release, and the inputs of their result."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from jupyter_deploy.domain.validation.ports import Notebook
from jupyter_deploy.domain.validation.validation import ValidationSpec
from jupyter_deploy.verbs.gates.endpoint_gates import GatePlan
from jupyter_deploy.verbs.run_plan import Planned
from jupyter_deploy.verbs.validation_runs import Candidate

SUBJECT = Candidate(SimpleNamespace(digest="sha256:1", tag="churn:1"), "churn")


def key(source="metric('a', 1)", parameters=None, digest="1"):
    notebook = Notebook(Path("/x/a.ipynb"), "python3", "python", 1, source, None, digest=digest)
    (planned,) = GatePlan((), (Planned(notebook, parameters or {}),)).planned(SUBJECT)
    return planned.key


def test_what_a_notebook_found_of_recorded_requests_is_not_used_again():
    asking = "from jupyter_deploy import recorded\nlive = recorded('churn')"
    assert key(asking) == ""
    assert key() == key() != ""


def test_a_pass_is_of_the_cells_with_their_tags():
    assert key(digest="1") != key(digest="2")


def test_parameters_of_any_kind_have_a_key():
    weights = {"weights": {0: 0.1, "unknown": [{None: 1, (1, 2): np.arange(3)}], 1.5: Path("/x")}}
    assert key(parameters=weights) == key(parameters={"weights": dict(reversed(weights["weights"].items()))}) != key()
    many = np.zeros(5000)
    assert key(parameters={"many": many}) != key(parameters={"many": np.where(np.arange(5000) == 2500, 1, many)})


def test_what_nbdeploy_yaml_asks_for_is_the_same_when_it_comes_back_from_the_store():
    asked = ValidationSpec(notebook="/x/a.ipynb", parameters={"weights": {0: 0.1, "unknown": [{True: 1}]}})
    assert ValidationSpec.model_validate_json(asked.model_dump_json()) == asked

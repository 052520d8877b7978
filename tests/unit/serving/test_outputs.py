"""The output of ``validate`` is never one of its source notebooks."""

from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.validation.ports import Notebook
from jupyter_deploy.domain.validation.requests import ValidateRequest
from jupyter_deploy.verbs.validate import validate


class Reader:
    """Reads any notebook; to run one is a failure of the test."""

    defaults: ClassVar = {}

    def read(self, path, kernel=None):
        del kernel
        source, defaults = "from jupyter_deploy import model\nmodel()", self.defaults.get(path, {})
        return Notebook(Path(path).resolve(), "python3", "python", cells=1, source=source, defaults=defaults)

    def require_parameters(self, notebook, parameters):
        pass


PORTS = SimpleNamespace(
    specs=(),
    validations=Reader(),
    project=SimpleNamespace(notebooks=lambda place, leave_out: [place]),
    store=SimpleNamespace(endpoints=list),
)


@pytest.mark.parametrize(
    "given",
    [
        {"html": "."},
        {"executed": "."},
        {"executed": "below/.."},
        {"junit": "c.ipynb"},
        {"notebooks": ("below/c.ipynb", "c.stable.ipynb"), "html": "."},
        {"notebooks": ("below/d.ipynb", "d.ipynb"), "select": "below", "html": "."},
        {"notebooks": ("c.ipynb",), "html": "linked"},
    ],
)
def test_a_place_where_a_notebook_that_is_validated_would_be_written_over_is_refused(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("below").mkdir()
    Path("linked").symlink_to(".")
    with pytest.raises(InvalidInput, match="would write over the notebook"):
        validate(ValidateRequest(**{"notebooks": ("c.ipynb",), **given}), PORTS, lambda _: None)


def test_notebooks_of_several_models_are_refused_with_which_are_of_which(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("churn", "price"):
        Reader.defaults[f"{name}.ipynb"] = {"endpoint": name}
    with pytest.raises(InvalidInput) as refused:
        validate(ValidateRequest(notebooks=("churn.ipynb", "price.ipynb")), PORTS, lambda _: None)
    assert "churn.ipynb: churn; price.ipynb: price" in refused.value.remedy

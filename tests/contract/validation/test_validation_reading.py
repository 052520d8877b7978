"""A validation notebook as read before its run, and its parameters."""

import json
import threading
from datetime import date
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest

from jupyter_deploy.domain.errors import InvalidInput, UnknownSource
from jupyter_deploy.validation.parameters import plain_values
from jupyter_deploy.validation.runner import PapermillValidationRunner
from tests.contract.validation.test_validation_runner import PYTHON, write

R = {"name": "ir", "display_name": "R", "language": "R"}


@pytest.fixture
def runner():
    return PapermillValidationRunner()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no notebook"),
        ("directory", "is a directory"),
        ("x = 1", "it is not JSON"),
        (b"\xff\xfe\x00", "it is not text"),
        ("[1]", "without 'nbformat'"),
        ({"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": []}, "of format 3"),
        ({"nbformat": 5, "nbformat_minor": 0, "metadata": {}, "cells": []}, "of format 5"),
        ({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"id": "a"}]}, "is not a notebook"),
    ],
)
def test_another_file_than_a_notebook_is_refused_by_its_type(runner, tmp_path, content, words):
    path = tmp_path / "a.ipynb"
    if content == "directory":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(UnknownSource, match=words) as refused:
        runner.read(str(path))
    assert str(path) in str(refused.value)
    assert refused.value.remedy


def test_standard_input_is_not_read_and_the_error_explains_it(runner):
    with pytest.raises(InvalidInput, match="standard input"):
        runner.read("-")


def test_a_missing_kernel_is_reported_with_the_installed_ones(runner, tmp_path):
    path = write(tmp_path / "a.ipynb", "1", kernelspec=PYTHON | {"name": "pythn3"})
    with pytest.raises(UnknownSource, match="needs the kernel 'pythn3'") as refused:
        runner.read(str(path))
    assert "did you mean python3?" in refused.value.remedy
    assert "ir, python3" in refused.value.remedy
    assert runner.read(str(path), "python3").kernel == "python3"
    with pytest.raises(InvalidInput, match="written in python, but the language of the kernel 'ir' is R"):
        runner.read(str(path), "ir")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ([], "is no object"),
        ({"gate": ["a > 1"]}, "unknown metadata 'nbdeploy.gate'"),
        ({"gates": "a > 1"}, "is no list of texts"),
        ({"traffic": 3}, "is no text"),
        ({"traffic": "an hour"}, "'an hour' is not a duration"),
    ],
)
def test_invalid_metadata_of_a_notebook_are_refused(runner, tmp_path, told, words):
    with pytest.raises(InvalidInput, match=words):
        runner.read(str(write(tmp_path / "a.ipynb", "1", nbdeploy=told)))


def test_a_notebooks_own_metadata_are_read(runner, tmp_path):
    takes = "#parameters\nrows: int = 10\nurl = 'a=b'  # where\nmany = [\n  1,\n]\nother = rows\n%matplotlib inline"
    cells = ("#md\nwords", takes, "#injected-parameters\nrows = 3", "rows")
    path = write(tmp_path / "a.ipynb", *cells, nbdeploy={"gates": ["a > 1"], "traffic": "1h"})
    found = runner.read(str(path))
    assert (found.path, found.kernel, found.language, found.cells) == (path, "python3", "python", 2)
    assert found.defaults == {"rows": 10, "url": "a=b", "many": [1], "other": None}
    assert (found.gates, found.traffic) == (("a > 1",), "1h")
    assert runner.read(str(write(tmp_path / "none.ipynb", "1"))).defaults is None
    r = write(
        tmp_path / "r.ipynb", '#parameters\nrows <- 10L  # how many\nname = "a"\nok <- TRUE\nx <- c(1, 2)', kernelspec=R
    )
    assert runner.read(str(r)).defaults == {"rows": 10, "name": "a", "ok": True, "x": None}


def test_its_digest_is_of_its_cells_of_code_with_their_tags_and_where_each_ends(runner, tmp_path):
    def digest(*cells, tags=(), outputs=()):
        path = write(tmp_path / "a.ipynb", *cells)
        document = json.loads(path.read_text("utf-8"))
        document["cells"][-1] |= {"metadata": {"tags": list(tags)}, "outputs": list(outputs)}
        path.write_text(json.dumps(document), "utf-8")
        return runner.read(str(path)).digest

    same = digest("x = 1", "y = 2")
    shown = {"output_type": "stream", "name": "stdout", "text": "2"}
    assert same == digest("x = 1", "#md\nwords", "y = 2", outputs=[shown])
    others = [
        digest("x = 1\ny = 2"),
        digest("x = 1", "y = 3"),
        digest("x = 1", "y = 2", tags=["raises-exception"]),
        digest("x = 1", "y = 2", tags=["skip-execution"]),
        digest("x = 1", "#injected-parameters\nx = 5", "y = 2"),
    ]
    assert len({same, *others}) == 6


def test_a_notebook_is_read_from_an_address_as_papermill_does(runner, tmp_path):
    write(tmp_path / "far.ipynb", "1")
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with HTTPServer(("127.0.0.1", 0), lambda *given: quiet(*given, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = f"127.0.0.1:{server.server_port}"
        found = runner.read(f"http://ada:pw@{here}/far.ipynb?token=t")
        with pytest.raises(UnknownSource, match=r"none\.ipynb is not a notebook: it is not JSON"):
            runner.read(f"http://{here}/none.ipynb")
        server.shutdown()
    assert (found.origin, found.path) == (f"http://{here}/far.ipynb", Path.cwd() / "far.ipynb")
    with pytest.raises(UnknownSource, match=f"cannot read http://{here}/far.ipynb"):
        runner.read(f"http://{here}/far.ipynb")


TAKES = """#parameters
rows = 10
share = 0.5
name = "a"
ok = True
many = (1, 2)
each = {"a": 1}
any = None
made = list(range(3))
count: int = 1
perhaps: str | None = None
maybe: "Optional[float]" = None
lot: list[int] = [1]
odd: np.ndarray = None
"""


@pytest.fixture(scope="module")
def takes(tmp_path_factory):
    return PapermillValidationRunner().read(str(write(tmp_path_factory.mktemp("takes") / "takes.ipynb", TAKES)))


@pytest.mark.parametrize(
    "given",
    [
        {"rows": 5, "share": 1, "name": "b", "ok": False, "many": [1], "each": {}, "any": "x", "made": 3},
        {"rows": 2.5, "count": np.int64(4), "share": np.float32(0.1), "perhaps": None, "maybe": 2, "lot": []},
        {"perhaps": "x", "odd": [1.0], "name": Path("a"), "any": date(2026, 1, 1)},
        {},
    ],
)
def test_parameters_of_the_right_kind_are_taken(runner, takes, given):
    runner.require_parameters(takes, given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"rwos": 5}, "takes.ipynb has no parameter 'rwos'"),
        ({"rows": "5"}, "'rows' is '5', and its default 10 is a number"),
        ({"rows": True}, "'rows' is True, and its default 10 is a number"),
        ({"rows": None}, "'rows' is None"),
        ({"name": 5}, "'name' is 5, and its default 'a' is a text"),
        ({"name": ["a"]}, "its default 'a' is a text"),
        ({"ok": 1}, "its default True is true or false"),
        ({"many": "1,2"}, "is a list"),
        ({"each": [1]}, "is a mapping"),
        ({"count": 1.5}, "'count' is 1.5, and is annotated to be a whole number"),
        ({"perhaps": 5}, "annotated to be None or a text"),
        ({"maybe": "5"}, "annotated to be None or a number"),
        ({"any": object}, "is a type, which cannot be written into a notebook"),
        ({"rwos": 5, "name": 5}, "no parameter 'rwos'; takes.ipynb: 'name' is 5"),
    ],
)
def test_parameters_that_a_notebook_does_not_take_are_refused(runner, takes, given, words):
    with pytest.raises(InvalidInput) as refused:
        runner.require_parameters(takes, given)
    assert words in refused.value.message
    assert refused.value.remedy
    assert ("did you mean rows?" in refused.value.remedy) == ("rwos" in given)


def test_a_notebook_without_a_cell_for_parameters_says_how_one_is_made(runner, tmp_path):
    with pytest.raises(InvalidInput, match="has no cell tagged 'parameters'") as refused:
        runner.require_parameters(runner.read(str(write(tmp_path / "a.ipynb", "rows = 1"))), {"rows": 2})
    assert "cell tag 'parameters'" in refused.value.remedy


def test_values_reach_papermill_as_it_writes_them_rightly():
    given = {"a": (1, np.int64(2)), "b": {"c": np.float64(0.5)}, "d": Path("x"), "e": True, "f": None}
    assert plain_values(given) == {"a": [1, 2], "b": {"c": 0.5}, "d": "x", "e": True, "f": None}
    assert type(plain_values(np.int64(2))) is int

"""A model that holds an open connection: the error shows the form in which each process connects itself."""

import pytest

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import NotCapturable
from tests.contract.capturing import capture

CELLS = (
    "import sqlite3",
    "db = sqlite3.connect('old.db')",
    "db = sqlite3.connect(\n    DATABASE,\n    timeout=5,\n)\nlimit = 3",
    "def balance(customer: int) -> int:\n    return db.execute('SELECT ?', (customer,)).fetchone()[0]",
)


@pytest.fixture
def notebook():
    """The variables of a notebook that ran these cells."""
    namespace = {"__name__": "__main__", "DATABASE": ":memory:"}
    for cell in CELLS[:1] + CELLS[2:]:
        exec(cell, namespace)
    yield namespace
    namespace["db"].close()


def test_the_error_has_the_users_own_code_in_the_form_of_a_connection(tmp_path, notebook):
    capturer = ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)
    with pytest.raises(NotCapturable, match="db is an open connection of sqlite3") as refused:
        capture(capturer, notebook["balance"], 3, cells=CELLS, namespace=notebook)
    assert refused.value.details == (
        "import jupyter_deploy\n\n"
        "@jupyter_deploy.connection\n"
        "def db():\n"
        "    return sqlite3.connect(DATABASE, timeout=5)"
    )
    assert "call db() where the model uses db" in refused.value.remedy


def test_in_that_form_it_is_captured_and_answers_in_a_clean_process(tmp_path, notebook):
    form = "import jupyter_deploy\n\n@jupyter_deploy.connection\ndef db():\n    return sqlite3.connect(DATABASE)"
    balance = CELLS[-1].replace("db.execute", "db().execute")
    for cell in (form, balance):
        exec(cell, notebook)
    capturer = ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)
    snapshot = capture(capturer, notebook["balance"], 3, namespace=notebook)
    assert capturer.predict(snapshot, [5, 7]) == [5, 7]

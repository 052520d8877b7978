"""A notebook declares the input of its functions: by annotations, by pydantic models, by a signature."""

import pytest

from tests import notebooks

CELLS = {
    "start": "%load_ext jupyter_deploy\nimport datetime as dt\nfrom typing import Annotated\nimport polars as pl\n"
    "from pydantic import BaseModel, Field",
    "models": "class Loan(BaseModel):\n    amount: Annotated[float, Field(gt=0)]\n    since: dt.date | None = None\n\n"
    "def limit(loan: Loan):\n    return {'limit': loan.amount / 2, 'year': loan.since and loan.since.year}\n\n"
    "class Row(BaseModel):\n    age: int = Field(ge=0, le=120, description='In years.')\n"
    "    town: str | None = 'Bern'\n\n"
    "def score(table):\n    letters = pl.col('town').fill_null('').str.len_chars()\n"
    "    return table.select(pl.col('age') * 2 + letters)['age']\n"
    "people = pl.DataFrame({'age': [3, 50], 'town': ['Bern', 'Zug']})",
    "deploy": '%deploy limit --name limit --example "Loan(amount=100, since=dt.date(2026, 1, 1))"',
    "ask": '%deploy_predict limit --data \'[{"amount": 50, "since": "2020-05-01"}]\'',
    "ask badly": "%deploy_predict limit --data '[{\"amount\": 0}]'",
    "no signature": "%deploy score --name score --example people --signature Rwo",
    "own": "%deploy score --name score --example people --signature Row",
    "ask own": '%deploy_predict score --data \'[{"age": 1}, {"age": 1, "town": null}]\'',
    "ask own badly": '%deploy_predict score --data \'[{"age": 121, "twon": "x"}]\'',
    "in Python": "import jupyter_deploy\n"
    "print(jupyter_deploy.deploy(score, name='score', example=people, signature=Row).changed)",
    "down": "%deploy_down",
}


@pytest.fixture(scope="module")
def shown(shared_home):
    folder = shared_home.path / "project"
    folder.mkdir()
    path = notebooks.write(folder / "signatures.ipynb", *CELLS.values())
    notebook = notebooks.run(path, shared_home.environment, allow_errors=True)
    return dict(zip(CELLS, notebooks.texts(notebook), strict=True))


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("deploy", ["limit", "stable"]),
        ("ask", ['"limit": 25', '"year": 2020']),
        ("ask badly", ["amount", "must be a number above 0, not 0"]),
        ("no signature", ["no variable 'Rwo'", "did you mean Row?"]),
        ("own", ["score", "stable"]),
        ("ask own", ["6", "2"]),
        ("ask own badly", ["must be a whole number from 0 to 120, not 121", "unknown feature 'twon'"]),
        ("in Python", ["False"]),
    ],
)
def test_what_a_notebook_says_of_its_functions_holds_at_the_endpoint(shown, cell, words):
    assert all(word in shown[cell] for word in words), shown[cell]

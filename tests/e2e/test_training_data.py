"""Deploys from a real kernel: the training table of a notebook's model, its file and the last release."""

from tests import notebooks

CELLS = (
    "%load_ext jupyter_deploy\nimport pandas as pd\nfrom sklearn.linear_model import LinearRegression",
    "people = pd.read_csv('people.csv')",
    "X = people[['age', 'weight']]\nmodel = LinearRegression().fit(X, people['price'])",
    "%deploy model --name people --example 'X[:2]'",
    "import os, time\nos.utime('people.csv', (time.time() + 5,) * 2)",
    "%deploy model --name people --example 'X[:2]'",
    "people = people[people['day'] < '2026-01-10']\nX = people[['age', 'weight']]\n"
    "model = LinearRegression().fit(X, people['price'])",
    "%deploy model --name people --example 'X[:2]' --strict",
)


def test_outdated_data_is_detected_against_the_file_and_the_last_release_in_a_kernel_and_headless(home, tmp_path):
    rows = [f"{20 + n},{60 + n % 7},{n % 5},2026-01-{n + 1:02}" for n in range(20)]
    (tmp_path / "people.csv").write_text("\n".join(["age,weight,price,day", *rows]))
    notebook = notebooks.write(tmp_path / "people.ipynb", *CELLS)
    texts = notebooks.texts(notebooks.run(notebook, home.environment, allow_errors=True))
    first, touched, older = (texts[place] for place in (3, 5, 7))
    assert "X: 20 rows of 2 columns, read from people.csv" in first
    assert "2 of the example's 2 rows are rows of X" in first
    assert "outdated-data" not in first
    assert "outdated-data (In [2]): people.csv has changed since X was read from it" in touched
    release = home.json("describe", "people")["releases"][0]["tag"]
    assert f"outdated-data (In [7]): X has 9 rows, that of {release} had 20" in older
    assert "people.day ends at 2026-01-09" in older

    fewer = notebooks.write(tmp_path / "fewer.ipynb", *CELLS[:2], "people = people[:4]", CELLS[2])
    deploy = ("deploy", fewer, "--name", "people", "--model", "model", "--example", "X[:2]", "--strict")
    refused = home.run(*deploy, check=False)
    assert "X has 4 rows, that of people:" in refused.stderr
    assert "--waive outdated-data --reason" in refused.stderr
    assert len(home.json("describe", "people")["releases"]) == 1

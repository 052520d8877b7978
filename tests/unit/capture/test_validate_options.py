"""Options of ``validate``: parameters, matrices, selections; and the calls that notebooks contain."""

import pytest

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.domain.validation.notebook_calls import calls_function
from jupyter_deploy.domain.validation.parameters import combinations, parse_matrix, parse_parameters
from jupyter_deploy.domain.validation.requests import ValidateRequest
from jupyter_deploy.domain.validation.selection import parse_selection
from jupyter_deploy.domain.validation.validation import titles
from jupyter_deploy.faces.arguments import join_pairs, parse_line
from jupyter_deploy.faces.request_fields import request_from


def test_parameters_are_read_as_papermills_command_line_reads_them():
    papermill = pytest.importorskip("papermill.cli")
    texts = [
        "1",
        "-3",
        "1e3",
        "0.5",
        "True",
        "False",
        "None",
        "true",
        "",
        "1_000",
        "nan-ish",
        "a=b",
        "2026-11-25",
        " x ",
    ]
    found = [parse_parameters([f"key={text}"])["key"] for text in texts]
    assert found == [papermill._resolve_type(text) for text in texts]
    assert [type(value) for value in found] == [type(papermill._resolve_type(text)) for text in texts]


def test_the_last_of_repeated_parameters_counts():
    assert parse_parameters(["rows=1", "rows=2"]) == {"rows": 2}
    assert parse_parameters({"rows": [1, 2]}) == {"rows": [1, 2]}


@pytest.mark.parametrize("text", ["rows", "=3", "two words=3", "1st=3"])
def test_a_parameter_without_key_or_value_is_refused_with_an_example(text):
    with pytest.raises(InvalidInput, match="KEY=VALUE"):
        parse_parameters([text])


def test_a_matrix_gives_one_run_per_combination():
    matrix = parse_matrix(["seed=1,2", "model=a, b"])
    assert matrix == {"seed": [1, 2], "model": ["a", "b"]}
    assert combinations(matrix) == [
        {"seed": 1, "model": "a"}, {"seed": 1, "model": "b"}, {"seed": 2, "model": "a"}, {"seed": 2, "model": "b"},
    ]  # fmt: skip
    assert combinations({}) == [{}]
    assert parse_matrix({"seed": range(2)}) == {"seed": [0, 1]}


@pytest.mark.parametrize(
    ("texts", "why"),
    [(["seed"], "KEY=VALUE"), (["seed="], "empty"), (["seed=1,,2"], "empty"), (["seed=1", "seed=2"], "twice")],
)
def test_an_invalid_matrix_is_refused(texts, why):
    with pytest.raises(InvalidInput, match=why):
        parse_matrix(texts)


@pytest.mark.parametrize(
    ("expression", "selected"),
    [
        ("price", ["price.ipynb [seed=1]", "Prices-slow.ipynb [seed=2]"]),
        ("price and not slow", ["price.ipynb [seed=1]"]),
        ("not price", ["text.ipynb"]),
        ("NOT (price or text)", []),
        ("text or seed=2 and slow", ["Prices-slow.ipynb [seed=2]", "text.ipynb"]),
        ("not not nightly", ["text.ipynb"]),
        ("'[seed=1]'", ["price.ipynb [seed=1]"]),
    ],
)
def test_a_selection_matches_words_in_titles_and_tags_in_any_case(expression, selected):
    runs = {"price.ipynb [seed=1]": (), "Prices-slow.ipynb [seed=2]": ("slow",), "text.ipynb": ("Nightly",)}
    true_of = parse_selection(expression)
    assert [title for title, tags in runs.items() if true_of((title, *tags))] == selected


@pytest.mark.parametrize(
    ("expression", "at"),
    [("", 1), ("price and", 10), ("(price", 7), ("price slow", 7), ("and", 1), ("price or or slow", 10), ("a)", 2)],
)
def test_a_wrong_selection_is_refused_with_the_place(expression, at):
    with pytest.raises(InvalidInput, match=f"at character {at}:"):
        parse_selection(expression)


def test_the_two_token_form_is_papermills():
    def pairs(*tokens):
        return join_pairs(ValidateRequest, tokens)

    assert pairs("a.ipynb", "-p", "rows", "5", "b.ipynb") == ["a.ipynb", "-p", "rows=5", "b.ipynb"]
    assert pairs("-p", "rows=5", "b.ipynb") == ["-p", "rows=5", "b.ipynb"]
    assert pairs("--parameter", "low", "-3") == ["--parameter", "low=-3"]
    assert pairs("-p", "formula", "y=a*x") == ["-p", "formula=y=a*x"]
    assert pairs("-p") == ["-p"]
    assert pairs("-y", "rows", "5") == ["-y", "rows", "5"]
    assert join_pairs(DeployRequest, ["-x", "rows", "5"]) == ["-x", "rows", "5"]
    request, _ = parse_line("deploy_validate", ValidateRequest, ["a.ipynb", "-p", "rows", "5", "-p", "seed=1"])
    assert parse_parameters(request.parameter) == {"rows": 5, "seed": 1}


def test_in_python_a_single_text_and_a_mapping_are_accepted(tmp_path):
    request = request_from(
        ValidateRequest,
        {
            "notebooks": tmp_path / "a.ipynb",
            "parameter": {"rows": 5},
            "gate": "accuracy >= 0.9",
            "matrix": {"seed": [1, 2]},
        },
    )
    assert request.notebooks == (str(tmp_path / "a.ipynb"),)
    assert request.parameter == {"rows": 5}
    assert request.gate == ("accuracy >= 0.9",)
    assert request.matrix == {"seed": [1, 2]}
    assert request_from(ValidateRequest, {"parameter": "rows=5"}).parameter == ("rows=5",)


def test_runs_are_named_by_the_shortest_distinct_part_of_their_path():
    runs = [("/p/a/checks.ipynb", {"seed": 1}), ("/p/b/checks.ipynb", {}), ("/p/text.ipynb", {"x": "y" * 60})]
    first, second, third = titles(runs)
    assert (first, second) == ("a/checks.ipynb [seed=1]", "b/checks.ipynb")
    assert third == f"text.ipynb [x={'y' * 39}…]"
    assert titles([("/p/a.ipynb", {"s": 1}), ("/p/a.ipynb", {"s": 2})]) == ["a.ipynb [s=1]", "a.ipynb [s=2]"]


@pytest.mark.parametrize(
    "source",
    [
        "from jupyter_deploy import check, model",
        "from jupyter_deploy import (\n    metric,\n    model,\n)\nclf = model()",
        "import jupyter_deploy as jd\nclf = jd.model()",
        "import jupyter_deploy\nclf = jupyter_deploy.model('churn')",
        "from jupyter_deploy import *",
        'Sys.getenv("NBDEPLOY_MODEL_URL")',
        'source(Sys.getenv("NBDEPLOY_R")); y <- model_predict(X)',
    ],
)
def test_a_notebook_that_calls_the_model_is_recognised(source):
    assert calls_function("model", source)


@pytest.mark.parametrize(
    "source",
    [
        "from jupyter_deploy import metric, check\nmodel = Net()\nmodel(x)",
        "from jupyter_deploy import metric\nfrom mine import model",
        "import jupyter_deploy\nmodel(x)",
        "modelling = 1",
    ],
)
def test_a_notebooks_own_model_function_is_not_taken_for_ours(source):
    assert not calls_function("model", source)


@pytest.mark.parametrize(
    "source",
    [
        "from jupyter_deploy import metric, recorded",
        "import jupyter_deploy as jd\nlive = jd.recorded('churn', since='1h')",
        'live <- jsonlite::stream_in(file(Sys.getenv("NBDEPLOY_RECORDED")))',
    ],
)
def test_a_notebook_that_calls_recorded_is_recognised(source):
    assert calls_function("recorded", source)
    assert not calls_function("recorded", "recorded = 5\nfrom jupyter_deploy import metric")

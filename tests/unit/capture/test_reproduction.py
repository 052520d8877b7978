"""The cells behind a model, and those that changed since."""

from jupyter_deploy.domain.capture.reproduction import Reproduction, cells_to_click, cells_to_deploy, changed_cells
from jupyter_deploy.faces.render.render import text

DEPLOY = "%deploy clf --name churn"


def test_cells_below_the_one_that_deployed_are_not_run():
    assert cells_to_deploy(["a = 1", DEPLOY, "a = 2"], ["a = 1", DEPLOY]) == ("a = 1", DEPLOY)


def test_a_repeated_deploy_counts_as_often_as_it_was_executed():
    cells = ["a = 1", DEPLOY, "a = 2", DEPLOY]
    assert cells_to_deploy(cells, ["a = 1", DEPLOY]) == ("a = 1", DEPLOY)
    assert cells_to_deploy(cells, ["a = 1", DEPLOY, "a = 2", DEPLOY]) == tuple(cells)
    assert cells_to_deploy(cells, ["a = 1", DEPLOY, DEPLOY, "a = 2", DEPLOY]) == tuple(cells)


def test_a_deploy_that_is_not_in_the_notebook_means_all_of_it():
    assert cells_to_deploy(["a = 1", "a = 2"], ["a = 1", DEPLOY]) == ("a = 1", "a = 2")


def test_for_a_deploy_by_button_the_cells_down_to_the_lowest_executed_one_count():
    assert cells_to_click(["a = 1", "b = 2", "a"], ["a = 1", "b = 2 ", "a = 1"]) == ("a = 1", "b = 2")
    assert cells_to_click(["a = 1", "b = 2"], ["c = 3"]) == ("a = 1", "b = 2")


def test_cells_that_did_not_run_or_are_gone_are_reported_and_white_space_is_no_change():
    assert changed_cells(["a = 1 ", "", "b = 3"], ["a = 1", "b = 2\nc", "b = 2\nc"]) == (
        "cell 3 was not executed as it stands now: b = 3",
        "In [2] is not in the notebook now: b = 2",
        "In [3] is not in the notebook now: b = 2",
    )


def test_random_answers_are_not_reported_as_equal():
    about = {"snapshot": "a:1", "outcome": "reproduced", "instances": 2, "ran": "notebook", "python": "3"}
    drawn = Reproduction(**about, distributions=1, stochastic=True)
    assert "2, all answered within the spread" in text(drawn)
    assert "2, all answered alike" in text(drawn.model_copy(update={"stochastic": False}))

"""Recursive code and models, and checks that raise: a deploy continues, and in time."""

from types import SimpleNamespace

import pytest

from jupyter_deploy.capture import checks
from jupyter_deploy.capture.checks.redefined import redefined_class
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.capture.ports import Live
from tests.contract.capture.test_checks_stale_kernel import look


def test_functions_that_call_each_other_are_followed_in_time(tmp_path):
    names = [f"f{number}" for number in range(12)]
    helpers = [f"def {n}(x):\n    x.append(1)\n    return [{', '.join(f'{m}(x)' for m in names)}]" for n in names]
    cells = [*helpers, "rows = []", "model = f0(rows)"]
    assert look(tmp_path / "n.ipynb", cells, cells) == []  # on every way from one to another it would not end
    (found,) = look(tmp_path / "n.ipynb", cells, [*cells[:-1], "f3(rows)", cells[-1]])
    assert "`f3(rows)`) is no longer in the notebook" in found.message
    changed = helpers[5].replace("append(1)", "append(2)")
    assert look(tmp_path / "n.ipynb", [*helpers[:5], changed, *helpers[6:], *cells[-2:]], cells), "it is reached"


def test_a_cell_that_ran_two_thousand_times_is_a_finding(tmp_path):
    cells = ["model = SGDClassifier()", "model.partial_fit(X, y)"]
    (found,) = look(tmp_path / "n.ipynb", cells, [cells[0], *[cells[1]] * 2000])
    assert "ran 2000 times" in found.message


def test_a_class_with_an_attribute_that_leads_back_to_it_is_compared():
    def kind(size):
        made = type("Rule", (), {"__module__": "__main__", "size": size})
        made.other = type("Inner", (), {"__module__": "__main__", "outer": made})
        made.itself = made
        return made

    former, alike, changed = kind(1), kind(1), kind(2)
    for present, many in ((alike, 0), (changed, 1)):
        handed = Live(former(), None, Source(variable="m"), cells=("class Rule: pass",), namespace={"Rule": present})
        assert len(list(redefined_class(SimpleNamespace(live=handed)))) == many


def dirty_tree(subject):
    raise RecursionError(subject)


@pytest.mark.parametrize("looking", ["check_candidate", "check_proved"])
def test_a_check_that_raises_is_a_note_of_that_check(monkeypatch, looking):
    monkeypatch.setattr(checks, "CHECKS_BEFORE_REPLAY", (dirty_tree,))
    monkeypatch.setattr(checks, "CHECKS_AFTER_REPLAY", (dirty_tree,))
    (found,) = getattr(checks, looking)("odd")
    assert (found.check, found.severity) == ("dirty-tree", "note")
    assert "the check failed: RecursionError: odd" in found.message

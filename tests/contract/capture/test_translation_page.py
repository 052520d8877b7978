"""docs/translation.md has each kind of model, and its check finds a translation that gives another answer."""

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from scripts.translation.kinds import YES, X, kinds
from scripts.translation.measure import PAGE, check, check_rows


def test_the_page_has_every_kind_and_at_least_forty_are_translated():
    rows = [line.split("|")[1:-1] for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")][1:]
    assert [(row[0].strip(), row[1].strip()) for row in rows] == [(kind.library, kind.name) for kind in kinds()]
    translated = [row for row in rows if row[2].strip().startswith(("to the last bit", "within"))]
    assert len(translated) >= 40
    assert f"{len(translated)} of {len(rows)} kinds are translated" in PAGE.read_text("utf-8")
    assert all(row[4].strip().startswith("0 ") for row in translated)


def test_the_check_finds_one_row_with_another_answer():
    model = RandomForestClassifier(3, random_state=0).fit(X, YES)
    table = check_rows(X)
    assert table.shape == (100_000, X.shape[1])
    assert check(model.predict_proba, model.predict_proba, table[:500]) == (0, 0, 0.0)

    def other(rows):
        answers = model.predict_proba(rows)
        answers[7] = answers[7][::-1] + np.array([0, 1e-6])
        return answers

    wrong, flips, largest = check(model.predict_proba, other, table[:500])
    assert (wrong, flips) == (1, int(model.predict_proba(table[7:8])[0, 0] != 0.5))
    assert largest > 0

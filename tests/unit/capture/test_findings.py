"""Findings: refused, waived and new ones; and the documentation of each check."""

import re
from pathlib import Path

import pytest

from jupyter_deploy.domain.base import size_in_words
from jupyter_deploy.domain.capture.findings import (
    CHECKS,
    Finding,
    counted,
    finding_text,
    has_new_findings,
    refuse,
    require_waivable,
    waived,
)
from jupyter_deploy.domain.errors import CheckFailed, InvalidInput
from jupyter_deploy.faces.render.error_codes import error_code
from jupyter_deploy.faces.render.page import Page, as_html, as_text

PAGE = Path(__file__).parents[3] / "docs" / "checks.md"


def one(severity, check="features", **more):
    return Finding(check=check, severity=severity, message="a column is missing", **more)


def test_every_check_is_documented_with_severity_example_and_remedy():
    sections = dict(re.findall(r"(?ms)^## (\S+)\n(.*?)(?=^## |\Z)", PAGE.read_text()))
    assert list(sections) == list(CHECKS)
    for name, text in sections.items():
        assert re.search(r"\*(?:[Nn]ote|[Ww]arning|[Ee]rror)\.?\*", text), name
        assert "\n> " in text, name
        assert "Remedy: " in text, name


def test_errors_are_refused_and_warnings_only_when_strict():
    for severity, strict in (("note", True), ("warning", False)):
        refuse([one(severity)], strict=strict)
    for severity, strict in (("error", False), ("warning", True)):
        with pytest.raises(CheckFailed, match=r"features: 1 finding against this deploy") as refused:
            refuse([one(severity), one("note", "secrets")], strict=strict)
        assert f"{severity}: features: a column is missing." in refused.value.details
        assert "secrets" not in str(refused.value), "a note is evidence against nothing"
        assert error_code(refused.type).exit_code == 1
        assert '--waive features --reason "…"' in refused.value.remedy


def test_a_waived_finding_passes_and_has_its_reason():
    passed = waived([one("error"), one("error", "secrets")], ["features"], "it is a test")
    assert [f.waived for f in passed] == ["it is a test", None]
    refuse(passed[:1], strict=True)
    assert finding_text(passed[0]).endswith("(waived: it is a test)")
    with pytest.raises(CheckFailed, match=r"^secrets: 1 finding"):
        refuse(passed, strict=False)


def test_a_waiver_names_a_check_and_a_reason():
    with pytest.raises(InvalidInput, match="there is no check 'featurs'"):
        require_waivable(["featurs"], "x")
    with pytest.raises(InvalidInput, match="needs a reason"):
        require_waivable(["features"], " ")
    require_waivable([], "")


def test_news_is_what_a_release_does_not_say_yet_in_other_words_or_not():
    assert has_new_findings([one("error")], [])
    assert not has_new_findings([one("note"), one("warning", "dirty-tree")], [])
    assert not has_new_findings([], [one("error")])
    assert not has_new_findings([one("error")], [one("error").model_copy(update={"message": "two are"})])
    assert has_new_findings([one("warning", waived="tested")], [one("warning")])


def test_a_card_counts_the_findings():
    assert counted([one("warning"), one("note"), one("warning"), one("error", waived="x")]) == "2 warnings, 1 waived"
    assert counted([one("note")]) == ""


def test_a_remedy_that_asks_ends_with_its_question_mark():
    assert finding_text(one("warning", remedy="was it left out?")) == "features: a column is missing. Was it left out?"
    assert finding_text(one("warning", remedy="mend it")).endswith(" Mend it.")


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (1, "1 byte"), (58, "58 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (12_345, "12.3 kB"),
     (999_960, "1 MB"), (3_400_000, "3.4 MB"), (2_570_000_000, "2.57 GB")],
)  # fmt: skip
def test_sizes_are_written_as_people_do(size, words):
    assert size_in_words(size) == words


def test_findings_are_seen_first_on_a_page_with_their_severity_and_cell():
    page = Page("deployed", findings=[one("error", cell=3), one("warning", waived="it <b>is</b>")], facts=[("a", "b")])
    assert as_text(page).splitlines()[1:3] == [
        "  [error] features (In [3]): a column is missing.",
        "  [waived] features: a column is missing. (waived: it <b>is</b>)",
    ]
    html = as_html(page)
    assert "<b>[error]</b>" in html
    assert "it &lt;b&gt;is" in html
    assert html.index("[error]") < html.index("<table>")

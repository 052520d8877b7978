"""The documentation as text."""

import functools
import re
import tomllib
from pathlib import Path

import pytest

from scripts import screenshots

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_of_code_is_closed(page):
    fence = None
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        found = re.match(r"\s*(`{3,}|~{3,})(.*)", line)
        if found is None or "`" in found[2]:
            continue
        if fence is None:
            fence = (found[1], number)
        else:
            opened, at = fence
            assert not found[2].strip(), f"line {number}: a block begins in the one of line {at}"
            if found[1].startswith(opened):
                fence = None
    assert fence is None, f"the block of line {fence[1]} is never closed"


def anchors(page):
    """The ids that GitHub gives to a page's headings."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
    for address in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", address):
            continue
        name, _, anchor = address.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{address}: no such file"
        assert not anchor or anchor in anchors(file), f"{address}: no such heading"


def test_the_readme_is_short_and_its_promises_are_shorter():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert len(readme.split()) <= 600
    promises = re.search(r"## Six promises\n(.*?)\n\nThe ", readme, re.DOTALL)[1].split("\n- ")[1:]
    assert len(promises) == 6
    for promise in promises:
        assert "](" in promise, promise
        assert len(re.sub(r"\]\([^)]*\)", "", promise).split()) <= 15, promise


def test_the_glossary_has_few_words_with_short_definitions():
    glossary = (ROOT / "docs/architecture/00-overview.md").read_text("utf-8").partition("## Glossary")[2]
    definitions = re.findall(r"^\| (?!-|word)(.+?) \| (.+) \|$", glossary, re.MULTILINE)
    assert 15 < len(definitions) <= 25
    words = [word for word, _ in definitions]
    assert words == sorted(words, key=str.lower)
    assert {word: meaning for word, meaning in definitions if len(meaning.split()) > 25} == {}


def test_every_page_and_every_decision_is_in_its_index():
    docs = ROOT / "docs"
    linked = set(re.findall(r"\]\(([^)#]+)", (docs / "README.md").read_text("utf-8")))
    pages = {str(page.relative_to(docs)) for page in [*docs.glob("*.md"), *docs.glob("how-to/*.md")]}
    assert pages - {"README.md"} <= linked
    decisions = docs / "architecture/decisions"
    index = re.findall(r"^\| \[\d+\]\((.+?)\) \|", (decisions / "README.md").read_text("utf-8"), re.MULTILINE)
    assert index == sorted(page.name for page in decisions.glob("0*.md"))


def test_the_table_of_packages_is_the_contracts_and_the_folders():
    overview = (ROOT / "docs/architecture/00-overview.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)/` \| .+ \| (.+) \|$", overview, re.MULTILINE))
    packages = {path.parent.name for path in (ROOT / "jupyter_deploy").glob("*/__init__.py")}
    assert set(rows) == packages
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]:
        name = contract["source_modules"][0].rpartition(".")[2]
        if name not in rows:
            continue
        forbidden = {module.rpartition(".")[2] for module in contract["forbidden_modules"]}
        allowed = packages - forbidden - {name, "domain"}
        assert allowed == set(re.findall(r"\w+", rows[name])) & packages - {"domain"}, name


@pytest.mark.parametrize("name", ["00-overview.md", "08-faces.md", "09-store.md"])
def test_the_files_that_the_tour_names_exist(name):
    text = (ROOT / "docs/architecture" / name).read_text("utf-8")
    paths = set(re.findall(r"`((?:\w+/)+\w+\.py)\b", text))
    assert paths
    roots = [ROOT, ROOT / "jupyter_deploy", ROOT / "jupyter_deploy/faces"]
    assert {path for path in paths if not any((root / path).exists() for root in roots)} == set()


def promises():
    """The rows of the tables of promises."""
    pages = (ROOT / "docs" / "reliability.md").read_text("utf-8").split("\n\n")
    tables = [table.splitlines() for table in pages if table.partition("\n")[0].endswith("| shown by |")]
    return [row for table in tables for row in table[2:]]


@functools.cache
def names_of_tests():
    """The names of all tests in Python."""
    files = (path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    return {name for text in files for name in re.findall(r"def (test_\w+)\(", text)}


@pytest.mark.parametrize("promise", promises(), ids=lambda promise: promise.split("|")[1].strip()[:50])
def test_each_promise_names_its_tests_and_they_exist(promise):
    shown_by = promise.rstrip(" |").rpartition("|")[2]
    files = re.findall(r"(?:\w+/)?test_\w+\.py", shown_by)
    names = re.findall(r"(test_\w+)(…?)[`,]", shown_by)
    assert files or names or "`make " in shown_by
    for file in files:
        assert list((ROOT / "tests").glob(f"**/{file}")), file
    for name, cut in names:
        assert name in names_of_tests() or (cut and any(one.startswith(name) for one in names_of_tests())), name


def test_each_picture_of_the_docs_is_taken_by_a_test_that_exists():
    for test in screenshots.TESTS:
        path, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text("utf-8"), test
    pictures = {path.name for path in (ROOT / "docs" / "images").glob("*.png")}
    assert set(screenshots.PICTURES) == pictures

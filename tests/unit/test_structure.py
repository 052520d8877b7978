"""The shape of the code: no import circle between two files, no file or folder that outgrows a reader."""

import re
from collections import Counter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "jupyter_deploy"
MOST_LINES = 400
MOST_MODULES = 45
WRITTEN = (PACKAGE, ROOT / "tests", ROOT / "scripts", ROOT / "labextension" / "src", ROOT / "labextension" / "test")
GENERATED = {ROOT / "labextension" / "src" / "generated.ts"}


def test_no_two_files_import_each_other():
    graph = grimp.build_graph("jupyter_deploy")
    imported = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    circles = sorted({tuple(sorted((a, b))) for a, others in imported.items() for b in others if a in imported[b]})
    assert circles == []


@pytest.mark.parametrize("folder", WRITTEN, ids=lambda folder: folder.name)
def test_no_file_is_longer_than_a_reader_takes_in(folder):
    files = {file for kind in ("*.py", "*.ts", "*.tsx") for file in folder.rglob(kind)} - GENERATED
    assert files
    lines = {str(file.relative_to(ROOT)): file.read_text("utf-8").count("\n") for file in files}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_no_folder_holds_more_modules_than_a_reader_takes_in():
    kinds = ("*.py", "*.ts", "*.tsx")
    files = (file for root in WRITTEN for kind in kinds for file in root.rglob(kind))
    modules = Counter(file.parent.relative_to(ROOT) for file in files)
    assert len(modules) > len(WRITTEN)
    assert {str(folder): count for folder, count in modules.items() if count > MOST_MODULES} == {}


def test_no_script_is_started_by_its_path():
    """Its folder would be first on the path, where ``statistics`` hides the standard library's."""
    pages = [page for folder in ("docs", "scripts", ".ci") for page in (ROOT / folder).rglob("*") if page.is_file()]
    named = [ROOT / name for name in ("Makefile", "CONTRIBUTING.md", "README.md", ".pre-commit-config.yaml")]
    texts = {page: page.read_bytes().decode("utf-8", "replace") for page in (*pages, *named)}
    command = re.compile(r"(python[\d.]*|\$\(PYTHON\)) +scripts/\w+\.py")
    assert [str(page.relative_to(ROOT)) for page, text in texts.items() if command.search(text)] == []


def test_each_package_says_what_is_in_it():
    silent = [file for file in PACKAGE.rglob("__init__.py") if not file.read_text("utf-8").startswith('"""')]
    assert silent == []


def test_both_indexes_of_the_style_sheets_name_the_same():
    style = ROOT / "labextension" / "style"
    of_lab = re.findall(r"import '\./(.*\.css)'", (style / "index.js").read_text("utf-8"))
    of_others = re.findall(r"url\('(.*\.css)'\)", (style / "index.css").read_text("utf-8"))
    assert of_lab == of_others != []

"""The check of prose: bad sentences fail, good ones pass, and the baseline only shrinks."""

import pytest

from scripts import prose

WORDS = prose.read_words((prose.ROOT / prose.WORDS).read_text("utf-8"))
FILE = "jupyter_deploy/door.py"
SCRIPT = "labextension/src/door.ts"
PAGE = "docs/door.md"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (PAGE, "The user is told of the failure.\n"),
        (PAGE, "Whoever\nasks gets an answer.\n"),
        (PAGE, "| a column | Beside the file lies a copy. |\n"),
        (FILE, '"""What is said when it fails."""\n'),
        (FILE, "def f():\n    # The client is\n    # told later.\n    return 1\n"),
        (SCRIPT, "/**\n * The client was\n * told.\n */\nexport const x = 1;\n"),
        (SCRIPT, "const url = 'http://a.b'; // beside it\n"),
        (SCRIPT, "trans.__('It lies beside %1', name);\n"),
        (FILE, 'x = 1\nraise ValueError(f"{x} was told twice")\n'),
    ],
)
def test_a_bad_sentence_is_a_violation(path, text):
    words, lines = prose.check_file(path, text, WORDS)
    assert words
    assert not lines
    assert {violation.path for violation in words} == {path}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (PAGE, "The command reports the failure. See [the page](beside.md) and `is told`.\n"),
        (PAGE, "```\nwhat is said beside the code\n```\n\nA telling example.\n"),
        (SCRIPT, "/** The address. */\nconst beside = names.beside; // see `beside`\n"),
        (FILE, '"""Ground truth arrives later and is joined to the predictions (``beside``)."""\nis_told = 1\n'),
    ],
)
def test_a_good_sentence_is_none(path, text):
    assert prose.check_file(path, text, WORDS) == ([], [])


def test_a_violation_names_the_line_and_the_better_word():
    words, _ = prose.check_file(PAGE, "# Title\n\nA line.\nThe answers of a request were\ntold of.\n", WORDS)
    assert [(v.line, v.message) for v in words if "were" in v.message] == [
        (4, "'were told': write (name the actor and the message)")
    ]


def test_long_lines_count_outside_tables_code_and_addresses():
    long = "word " * 25
    text = f"{long}\n\n```\n{long}\n```\n\n| {long} |\n\n[a link](https://example.org/{'x' * 100}) is short.\n"
    _, lines = prose.check_file(PAGE, text, WORDS)
    assert [violation.line for violation in lines] == [1]


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "scripts").mkdir()
    (tmp_path / prose.WORDS).write_text("beside -> next to\n")
    (tmp_path / prose.BASELINE).write_text("   1    0 README.md\n")
    (tmp_path / "README.md").write_text("It lies beside the file.\n")
    return tmp_path


def test_what_the_baseline_allows_passes(tree, capsys):
    assert prose.main([], tree) == 0
    assert capsys.readouterr().out == ""


def test_a_count_that_grows_fails_and_the_baseline_does_not_take_it_in(tree, capsys):
    (tree / "README.md").write_text("It lies beside the file, and beside the folder.\n")
    assert prose.main([], tree) == 1
    assert "README.md:1: 'beside': write next to" in capsys.readouterr().out
    assert prose.main(["--shrink"], tree) == 1
    assert prose.read_baseline((tree / prose.BASELINE).read_text()) == {"README.md": prose.Count(1, 0)}


def test_a_baseline_larger_than_the_truth_fails_until_it_is_shrunk(tree, capsys):
    (tree / "README.md").write_text("It lies next to the file.\n")
    assert prose.main([], tree) == 1
    assert "--shrink" in capsys.readouterr().out
    assert prose.main(["--shrink"], tree) == 0
    assert prose.read_baseline((tree / prose.BASELINE).read_text()) == {}


def test_history_and_generated_pages_are_exempt(tree):
    (tree / "CHANGELOG.md").write_text("beside\n")
    (tree / "docs/architecture/decisions").mkdir(parents=True)
    (tree / "docs/architecture/decisions/0001-a.md").write_text("beside\n")
    (tree / "docs/reference.md").write_text("beside\n")
    assert list(prose.files(tree)) == ["README.md"]

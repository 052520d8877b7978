"""Secrets in cells: how they are written, what is kept of them, and that looking for them takes no long."""

import time

import pytest

from jupyter_deploy.adapters.guards import detection, masking

# The text, and what of it must not be kept.
IN_CELLS = {
    "an environment variable": ("%env OPENAI_API_KEY=abcd-efgh-1234-zzz9", "abcd-efgh"),
    "a variable without a sign": ("%env OPENAI_API_KEY abcd-efgh-1234-zzz9", "abcd-efgh"),
    "a shell's variable": ("x = 1\n!DB_PASSWORD=hunter22x ./load.sh", "hunter22x"),
    "a shell's option": ("!load --password hunter22x", "hunter22x"),
    "a header": ("headers = {'Authorization': 'Bearer abcd-efgh-1234-zzz9'}", "abcd-efgh"),
    "a tuple": ("secret, other = 'abc99xyz1', 'b'", "abc99xyz1"),
    "texts in parts": ("connect(password=('abc99x'\n  \"def123\"))", "def123"),
    "three quotes": ('API_KEY = """abc99xyz1\n"""', "abc99xyz1"),
    "beside a magic": ("%matplotlib inline\ntöken = secret, other = 'abc99xyz1', 'b'", "abc99xyz1"),
    "a default": ("def f(x, *, api_key='abc99xyz1'): ...", "abc99xyz1"),
    "a URL": ("B = 'mysql+pymysql://root:S3cr3tPw!@10.0.0.3/x'", "S3cr3tPw"),
}


@pytest.mark.parametrize(("cell", "value"), IN_CELLS.values(), ids=IN_CELLS)
def test_the_usual_ways_to_write_a_secret_in_a_cell_are_seen_and_masked(cell, value):
    kept, kinds = masking.masked(cell)
    assert kinds
    assert value not in kept
    assert "***" in kept


def test_no_text_takes_longer_than_its_length_does():
    began = time.perf_counter()
    for text in (
        "a" * 100_000,
        "\n" * 100_000,
        "a." * 50_000,
        "a='" * 30_000,
        ("_" * 99 + " ") * 999,
        "://a:" * 20_000,
    ):
        detection.settings_in(text)
    assert time.perf_counter() - began < 2


def test_a_label_in_a_mapping_is_no_error_and_what_may_be_a_password_is():
    routes = {"password": "login_issue"}
    assert [hit.is_doubtful for hit in detection.secret_under("password", "login_issue", of_mapping=True)] == [True]
    assert [hit.is_doubtful for hit in detection.secrets_in(f"routes = {routes}")] == [True]
    assert [hit.is_doubtful for hit in detection.secrets_in("x = {'password': 'l0gin_issue'}")] == [False]
    assert [hit.is_doubtful for hit in detection.secrets_in("password = 'login_issue'")] == [False]

"""The documentation as text."""

import re
from pathlib import Path

import pytest

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

"""The labels that people give to releases. Pure."""

from __future__ import annotations

import re

from jupyter_deploy.domain.errors import InvalidName

MOST_LABEL = 60


def checked_label(label: str) -> str:
    """Return a label without white space at its ends. Raises InvalidName: too long, several lines, or like a tag."""
    checked = label.strip()
    if len(checked) > MOST_LABEL or not checked.isprintable():
        raise InvalidName(
            f"a label is one line of at most {MOST_LABEL} characters", "shorten it, such as 'wider trees'"
        )
    if re.fullmatch(r"(?:[a-z0-9_-]+:)?[0-9a-f]+", checked):
        raise InvalidName(f"'{checked}' looks like a release's tag", "add a word, such as 'wider trees'")
    return checked

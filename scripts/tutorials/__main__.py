"""Write docs/first-guess.md: ``python -m scripts.tutorials``, about ten minutes.

Each notebook runs in a real kernel. Labels are of the notebook alone: see ``labels.py``. With names of tutorials, only
these run, and their guesses are printed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .guesses import guess
from .labels import TUTORIALS
from .page import page

PAGE = Path(__file__).parents[2] / "docs" / "first-guess.md"


def main(names: list[str]) -> int:
    """Run the tutorials; return 0."""
    chosen = [one for one in TUTORIALS if not names or one.name in names]
    guesses = []
    for tutorial in chosen:
        made = guess(tutorial)
        guesses.append(made)
        print("right" if made.right else "WRONG", tutorial.name, made.model, made.example, *made.ranked, flush=True)
    if not names:
        PAGE.write_text(page(guesses), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

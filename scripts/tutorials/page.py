"""The page of the first guesses."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from .guesses import Guess
from .labels import PACKAGES, Tutorial

_HEAD = """# The first guess of the Deploy dialog

How often are the model and the example that the dialog selects the right ones? `python -m
scripts.tutorials` runs {count} notebooks, each in a real kernel, and writes this page.

| notebooks | model and example are right |
|---|---:|
| tuned: the ranking was made with them | {tuned} |
| held out: run once, at the end | {held_out} |

The notebooks are examples in the source distributions of {packages}, with their licences, and two
of our own in the style of PyTorch's and XGBoost's tutorials. Examples that download data, and
comparisons that end without a model of choice, are left out; so are imports of packages that
nbdeploy's tests do not install. The labels were written before the first run: the model and the
rows that a reader of the notebook would deploy. Several are right if the notebook does not decide.
A guess of the example is right if it takes rows of a right variable. A model that the dialog lists
without selecting it counts as wrong. The held-out notebooks are drawn by a seed from examples that
the ranking's authors had not run; the fifteen of an earlier ranking, of which 12 were right in their
one run, are tuned ones now.

[How the guess is made](lab.md#deploy) · why: decisions
[155](architecture/decisions/0155-the-first-guess.md),
[183](architecture/decisions/0183-a-comparison-is-no-choice.md)
"""


def page(guesses: Sequence[Guess]) -> str:
    """Return the page as Markdown."""
    packages = ", ".join(f"{one.name} {one.version} ({one.licence})" for one in PACKAGES.values())
    head = _HEAD.format(
        count=len(guesses), tuned=_share(guesses, held_out=False), held_out=_share(guesses, held_out=True),
        packages=packages,
    )  # fmt: skip
    return "\n".join([_wrapped(head), _wrong(guesses), _table("Tuned", guesses, held_out=False),
                      _table("Held out", guesses, held_out=True)])  # fmt: skip


def _share(guesses: Sequence[Guess], *, held_out: bool) -> str:
    chosen = [one.right for one in guesses if one.tutorial.held_out == held_out]
    return f"{sum(chosen)} of {len(chosen)}"


def _wrong(guesses: Sequence[Guess]) -> str:
    rows = [_wrapped(f"- **{one.tutorial.name}**: {_missed(one)}. {one.tutorial.reason}", "  ") for one in guesses
            if not one.right]  # fmt: skip
    return "\n".join(["## Wrong guesses", "", *(rows or ["None."]), ""])


def _wrapped(text: str, indent: str = "") -> str:
    """Wrap the paragraphs at the pages' width; tables and headings stay."""
    blocks = [
        block if block.startswith(("#", "|"))
        else textwrap.fill(block.strip(), 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
        for block in text.split("\n\n")
    ]  # fmt: skip
    return "\n\n".join(blocks) + ("" if indent else "\n")


def _missed(guess: Guess) -> str:
    example = f"with `{guess.example}`" if guess.example else "without an example"
    chosen = f"`{guess.model}` {example}" if guess.model else "no model"
    return f"selected {chosen}; right is {_label(guess.tutorial)}"


def _label(tutorial: Tutorial) -> str:
    models, examples = (" or ".join(f"`{name}`" for name in names) for names in (tutorial.models, tutorial.examples))
    return f"{models} with {examples}"


def _table(title: str, guesses: Sequence[Guess], *, held_out: bool) -> str:
    rows = [_row(one) for one in guesses if one.tutorial.held_out == held_out]
    head = [f"## {title}", "", "| notebook | source | model | example | right |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def _row(guess: Guess) -> str:
    right = "yes" if guess.right else "no"
    return f"| {guess.tutorial.name} | {guess.tutorial.source} | `{guess.model}` | `{guess.example}` | {right} |"

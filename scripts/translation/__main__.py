"""Write docs/translation.md: each kind of model, translated and compared with its original on 100,000 rows.

``python -m scripts.translation [WORD …]``: with words, print the rows of the kinds that have one in their name.
"""

from __future__ import annotations

import sys
import warnings

from .kinds import kinds
from .measure import CALLS, CHECKED, PAGE, measure

HEAD = """# Translated models

Made by `python -m scripts.translation`, which trains each model, translates it as `deploy --engine
onnx` does, and then compares both on {checked:,} further rows: training rows, training rows with
noise, and rows of values that do not belong together, with missing values where the training table
has some.

- **equal**: `to the last bit`; `within …`, the largest absolute difference of a probability or a
  number, which the replay's tolerance allows; or why the model is served natively.
- **proof**: the rows that a deploy compares, at thresholds and categories too; a flip (another
  label, or another most likely class) in one of them refuses the translation.
- **flips**: those in the {checked:,} rows; so many have at most the share in brackets (confidence
  sequence, 95 %).
- **one row**: microseconds of the original and of the translation in turns, median of {calls}; the
  machine was shared, so only large ratios say something.
- **size**: of the pickled original and of the graph, in kB.

{summary}

| library | model | equal | proof | flips | one row, µs | size, kB |
|---|---|---|---|---|---|---|
"""


def main() -> None:
    """Measure all kinds, or those that are named."""
    warnings.simplefilter("ignore")
    words = sys.argv[1:]
    rows = []
    for kind in kinds():
        if words and not any(word.lower() in f"{kind.library} {kind.name}".lower() for word in words):
            continue
        row = measure(kind)
        print(row.text, flush=True)
        rows.append(row)
    if not words:
        count = sum(row.translated for row in rows)
        summary = f"{count} of {len(rows)} kinds are translated."
        head = HEAD.format(checked=CHECKED, calls=CALLS, summary=summary)
        PAGE.write_text(head + "\n".join(row.text for row in rows) + "\n", "utf-8")


main()

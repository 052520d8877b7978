"""Compare a client's answers with the original's: python check.py COMMAND.

COMMAND gets the graph, the name of its output and a table of rows, and prints a line with tabs for each row. The exit
code is 0 if all answers agree within the manifest's tolerance (texts and integers must be equal), 1 if one does not,
2 if a file has changed since the export. It needs the standard library alone.
"""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
from pathlib import Path

SHOWN = 5


def main(command: list[str]) -> int:
    """Check the files' digests, then the command's answers."""
    folder = Path(__file__).resolve().parent
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    changed = [
        name
        for name, sha256 in manifest["files"].items()
        if not (folder / name).is_file() or hashlib.sha256((folder / name).read_bytes()).hexdigest() != sha256
    ]
    if changed:
        print(f"not as they were exported: {', '.join(changed)}")
        return 2
    if not command:
        print(f"{len(manifest['files'])} files are as they were exported; name a client to check its answers")
        return 0
    graph, conformance = folder / manifest["graph"], manifest["conformance"]
    words = [*command, str(graph), manifest["output"], str(folder / conformance["inputs"])]
    ended = subprocess.run(words, stdout=subprocess.PIPE, check=False)
    if ended.returncode:
        print(f"{command[0]} ended with {ended.returncode}")
        return 1
    expected = (folder / conformance["answers"]).read_bytes().decode().split("\n")[1:-1]
    found = ended.stdout.decode().replace("\r\n", "\n").removesuffix("\n").split("\n")
    if len(found) != len(expected):
        print(f"{len(found)} answers to {len(expected)} rows")
        return 1
    wrong = [
        row for row, lines in enumerate(zip(expected, found, strict=True)) if not agrees(*lines, manifest["tolerance"])
    ]
    for row in wrong[:SHOWN]:
        print(f"row {row + 1}: {found[row]!r}, and the original answers {expected[row]!r}")
    print(f"{len(expected) - len(wrong)} of {len(expected)} answers agree with the original's")
    return int(bool(wrong))


def agrees(expected: str, found: str, tolerance: dict[str, float]) -> bool:
    """Whether two lines have the same values, numbers within the tolerance."""
    values = zip(expected.split("\t"), found.split("\t"), strict=False)
    return expected.count("\t") == found.count("\t") and all(near(*pair, tolerance) for pair in values)


def near(expected: str, found: str, tolerance: dict[str, float]) -> bool:
    """Whether two values are equal texts, equal integers, or near numbers."""
    try:
        numbers = float(expected), float(found)
    except ValueError:
        return expected == found
    if all(text.lstrip("-").isdigit() for text in (expected, found)):
        return int(expected) == int(found)
    if math.isnan(numbers[0]) or math.isnan(numbers[1]):
        return math.isnan(numbers[0]) and math.isnan(numbers[1])
    return math.isclose(*numbers, rel_tol=tolerance["relative"], abs_tol=tolerance["absolute"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

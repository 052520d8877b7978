"""Requests without number, made by schemathesis of each kind of release's own OpenAPI document: ``make fuzz``.

It prints how many of each path got which status, and what is wrong with some. The exit code is 1 if anything was: an
error of the server that is not the model's own, or an answer that the document does not know. Its seed is printed;
``make fuzz SEED=… CASES=…`` asks the same again.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile

from tests.fuzzing import KINDS, Found, fuzzed


def main() -> None:
    """Ask, and tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", type=int, default=10_000, help="of all kinds together, and a few more")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NBDEPLOY_FEEDBACK"] = folder
        share = -(-given.cases // len(KINDS))
        found = [fuzzed(name, share, start=given.seed + at, told=_say) for at, name in enumerate(KINDS)]
    for one in found:
        print(_table(one))
    faults = [fault for one in found for fault in one.faults]
    print("\n\n".join(faults))
    print(f"{sum(one.cases for one in found)} cases, {len(faults)} faults")
    sys.exit(bool(faults))


def _say(line: str) -> None:
    print(line, flush=True)


def _table(found: Found) -> str:
    lines = [f"{status} {count:6} {path}" for (path, status), count in sorted(found.statuses.items())]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

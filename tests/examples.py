"""How many examples hypothesis generates: a quarter in ``make test``, all of them in ``make test-all``."""

import os


def examples(many):
    """The number of examples of this run."""
    return many if os.environ.get("NBDEPLOY_EXHAUSTIVE") == "1" else many // 4

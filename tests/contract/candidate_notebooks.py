"""Variables of notebooks for the tests of candidates."""

import numpy as np
import pandas as pd
import torch

from jupyter_deploy.capture.candidates import NotebookFinder
from jupyter_deploy.capture.inspection import inspect_model

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.normal(size=(60, 4)), columns=["age", "weight", "height", "dose"])
LABELS = (FRAME["age"] > 0).to_numpy().astype(int)
TEXTS = ["a good film", "a bad film", "good", "bad"] * 5
OPINIONS = ["yes", "no", "yes", "no"] * 5
SPLIT = {"X": FRAME, "X_train": FRAME[:40], "X_test": FRAME[40:], "y": LABELS, "y_test": LABELS[40:]}
ARRAYS = {"A": FRAME.to_numpy(), "A_test": FRAME.to_numpy()[40:], "B": RNG.normal(size=(9, 7)), "y": LABELS}


def find(namespace, *cells):
    return NotebookFinder().models(namespace, cells, {})


def define(source, **known):
    """A notebook's variables, with the functions that a cell defines."""
    namespace = {"__name__": "__main__", **known}
    exec(source, namespace)
    return {name: value for name, value in namespace.items() if not name.startswith("__")}


def answered(found, namespace):
    """Every guess is one on which the model answers."""
    assert found.examples
    for guess in found.examples:
        model = namespace[found.variable]
        inspect_model(model, eval(guess.expression, {"torch": torch, **namespace}), found.method)
    return [guess.expression for guess in found.examples]

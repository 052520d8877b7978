"""Support in the kernel of a notebook that nbdeploy runs: skipped deploys, and the repeated example.

It also runs without this package, with the serving package and the errors next to it: it imports only the standard
library.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

VARIABLE = "NBDEPLOY_RERUN"
"""Set in the kernel of such a notebook."""

VALIDATION = "validation"
"""The variable's value in the kernel of a validation notebook, where verbs that only read work: a gate needs them."""

ANSWERS_MIME = "application/vnd.nbdeploy.answers+json"


def is_rerun() -> bool:
    """Whether nbdeploy runs this notebook, so that its own cells deploy nothing."""
    return VARIABLE in os.environ


def is_validation() -> bool:
    """Whether nbdeploy runs this notebook as a validation."""
    return os.environ.get(VARIABLE) == VALIDATION


class SkippedDeploy:
    """The result of a skipped verb, which explains itself at any access."""

    _name = "a deploy"  # also while a copy is being made

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        """Return the text for the cell's output."""
        return f"{self._name} is skipped: nbdeploy runs this notebook itself"

    def __getattr__(self, attribute: str) -> Any:
        raise AttributeError(f"{self!r}, so its result has no '{attribute}'")


def skipped_verb(name: str) -> Callable[..., SkippedDeploy]:
    """Return a function that replaces a verb and does nothing."""
    return lambda *_, **__: SkippedDeploy(name)


def load(shell: Any, verbs: Iterable[str]) -> None:
    """Register magics that do nothing in place of ``%deploy`` and ``%deploy_<verb>``."""

    def deploy(line: str, cell: str | None = None) -> SkippedDeploy:
        del line
        if cell is not None:  # %%deploy precedes a function that later cells may call
            shell.run_cell(cell).raise_error()
        return SkippedDeploy("%deploy")

    shell.register_magic_function(deploy, "line_cell", "deploy")
    for verb in verbs:
        shell.register_magic_function(skipped_verb(f"%deploy_{verb}"), "line", f"deploy_{verb}")


def display_answers(expression: str, folder: str, digest: str) -> None:
    """Call this notebook's model with the example of a snapshot; the result is displayed by ``ANSWERS_MIME``.

    Parameters
    ----------
    expression
        The model's expression in this notebook.
    folder, digest
        The snapshot's; its digests are verified before anything is unpickled.
    """
    from IPython import get_ipython
    from IPython.display import display

    from jupyter_deploy.serving.replay import check_example, describe
    from jupyter_deploy.serving.snapshot import EnvironmentChanged, SnapshotChanged, model_of

    result: dict[str, Any] = {"differences": [], "stochastic": False, "error": None}
    try:
        native = eval(expression, get_ipython().user_ns)  # noqa: S307 - the user's own expression of the model
        check_example(model_of(native, folder, digest), result)
    except (SnapshotChanged, EnvironmentChanged):
        raise  # there is nothing to compare with
    except Exception as error:  # noqa: BLE001 - any exception of the model is the result
        result["error"] = describe(error)
    display({ANSWERS_MIME: result, "text/plain": "answers"}, raw=True)

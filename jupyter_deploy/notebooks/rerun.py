"""What the kernel of a notebook that nbdeploy itself runs needs: deploys left out, and the same question asked again.

It also stands where this package is not installed, with the serving package and the errors beside it: the standard
library alone is imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

VARIABLE = "NBDEPLOY_RERUN"
"""Set in the kernel of such a notebook."""

ANSWERS_MIME = "application/vnd.nbdeploy.answers+json"


def is_rerun() -> bool:
    """Whether nbdeploy runs this notebook, so that its own cells deploy nothing."""
    return VARIABLE in os.environ


class LeftOut:
    """What a verb that was left out returns: nothing, and whoever asks it for something is told why."""

    _name = "a deploy"  # also of a copy that is only being made

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        """For the cell's output."""
        return f"{self._name} is left out: nbdeploy runs this notebook itself"

    def __getattr__(self, attribute: str) -> Any:
        raise AttributeError(f"{self!r}, so that there is no '{attribute}'")


def left_out(name: str) -> Callable[..., LeftOut]:
    """A function in the place of a verb: nothing is done."""
    return lambda *_, **__: LeftOut(name)


def load(shell: Any, verbs: Iterable[str]) -> None:
    """Register magics that do nothing in the place of ``%deploy`` and ``%deploy_<verb>``."""

    def deploy(line: str, cell: str | None = None) -> LeftOut:
        del line
        if cell is not None:  # %%deploy stands over a function that later cells may call
            shell.run_cell(cell).raise_error()
        return LeftOut("%deploy")

    shell.register_magic_function(deploy, "line_cell", "deploy")
    for verb in verbs:
        shell.register_magic_function(left_out(f"%deploy_{verb}"), "line", f"deploy_{verb}")


def ask(expression: str, folder: str, digest: str) -> None:
    """Ask what this notebook made the example of a snapshot; what was found is displayed by ``ANSWERS_MIME``.

    Parameters
    ----------
    expression
        What holds the model in this notebook.
    folder, digest
        The snapshot's; nothing is unpickled before its digests were verified.
    """
    from IPython import get_ipython  # there is a kernel only where this is called
    from IPython.display import display

    from jupyter_deploy.serving.replay import check_example, describe
    from jupyter_deploy.serving.snapshot import EnvironmentChanged, SnapshotChanged, model_of

    found: dict[str, Any] = {"differences": [], "stochastic": False, "error": None}
    try:
        native = eval(expression, get_ipython().user_ns)  # noqa: S307 - the words that the user deployed it by
        check_example(model_of(native, folder, digest), found)
    except (SnapshotChanged, EnvironmentChanged):
        raise  # there is nothing to compare with
    except Exception as error:  # noqa: BLE001 - whatever the model raises is the finding
        found["error"] = describe(error)
    display({ANSWERS_MIME: found, "text/plain": "asked"}, raw=True)

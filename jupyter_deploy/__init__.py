"""nbdeploy: turn the model in an open notebook into a running, validated, observable service.

In a notebook: ``%load_ext jupyter_deploy`` and then ``%deploy model --name churn --example "X_test[:5]"``.
In Python: ``jupyter_deploy.deploy(model, name="churn", example=X_test[:5])``. In a shell: ``nbdeploy --help``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from .verbs import BY_NAME

__version__ = "0.1.0"

_IN_NOTEBOOKS = ("check", "metric", "model", "recorded", "reference")
"""Functions of validation notebooks, also in an interactive kernel."""

_BESIDE_VERBS = ("panel",)
"""Functions of notebooks with a magic, which are not in the table of verbs."""

__all__ = list(BY_NAME)
__all__ += list(_IN_NOTEBOOKS)
__all__ += ("DeployError", "load", "model_input", "panel", "serving_role")

_MODULES = {
    "DeployError": ".domain.errors",
    "candidates": ".faces.kernel.model_selection",
    "load": ".faces.kernel.predictor",
    "model_input": ".faces.kernel.model_input",
    "recorded": ".faces.kernel.recorded",
}


def serving_role() -> str | None:
    """Return the role of the release that answers the current request, for the model's own code.

    A shadow gets a copy of every request, so a side effect of its code (writing a file, sending a message) would occur
    twice. ``if jupyter_deploy.serving_role() in ("stable", "canary"):`` limits it to one release.

    Returns
    -------
    str or None
        ``stable``, ``canary``, ``shadow``, ``probe`` (the check at a start) or ``direct`` (not through the gateway);
        None outside a request, as in the notebook. The bento has this function even if this package is not installed.
    """
    module = sys.modules.get(f"{__name__}.serving.role")
    role: str | None = module.serving_role() if module else None
    return role


def __getattr__(name: str) -> Any:
    """Make the verbs and other functions at their first use: importing this package stays cheap."""
    if (name in BY_NAME or name in _BESIDE_VERBS) and _is_rerun():
        from .notebooks.rerun import skipped_verb

        return skipped_verb(f"jupyter_deploy.{name}")
    if name in _MODULES:
        return getattr(import_module(_MODULES[name], __name__), name)
    if name in _IN_NOTEBOOKS:
        from .faces.kernel import validation_api

        return getattr(validation_api, name)
    if name == "panel":
        from .faces.panel import panel

        return panel
    if name in BY_NAME:
        from .faces.kernel.python_api import verb

        return verb(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> Iterable[str]:
    """Return the module's names with the verbs."""
    return sorted([*globals(), *__all__])


def load_ipython_extension(shell: Any) -> None:
    """Load the magics and the formatters of results: ``%load_ext jupyter_deploy``."""
    if _is_rerun():
        from .notebooks import rerun

        rerun.load(shell, [*(name for name in BY_NAME if name != "deploy"), *_BESIDE_VERBS])
        return
    from .faces.kernel.magics import load

    load(shell)


def _is_rerun() -> bool:
    from .notebooks.rerun import is_rerun

    return is_rerun()

"""nbdeploy: turn the model in an open notebook into a running, validated, observable service.

In a notebook: ``%load_ext jupyter_deploy`` and then ``%deploy model --name churn --example "X_test[:5]"``.
In Python: ``jupyter_deploy.deploy(model, name="churn", example=X_test[:5])``. In a shell: ``nbdeploy --help``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any

__version__ = "0.1.0"

__all__ = [
    "DeployError",
    "check",
    "compare",
    "compose",
    "deploy",
    "describe",
    "diff",
    "down",
    "feedback",
    "gc",
    "history",
    "images",
    "init",
    "list",
    "logs",
    "metric",
    "model",
    "model_input",
    "panel",
    "predict",
    "promote",
    "publish",
    "purge",
    "reconcile",
    "recorded",
    "reference",
    "reproduce",
    "rollback",
    "serving_role",
    "stop",
    "traffic",
    "validate",
    "verify",
]

_IN_NOTEBOOKS = ("check", "metric", "model", "recorded", "reference")
"""What a validation notebook calls, wherever it runs."""

_PLACES = {
    "DeployError": ".domain.errors",
    "model_input": ".faces.kernel.model_input",
    "recorded": ".faces.kernel.recorded",
}


def serving_role() -> str | None:
    """The role in which the model is being asked, for the model's own code.

    A shadow gets a copy of every request, so whatever its code does beside answering (writing a file, sending a
    message) would be done twice. ``if jupyter_deploy.serving_role() in ("stable", "canary"):`` does it once.

    Returns
    -------
    str or None
        ``stable``, ``canary``, ``shadow``, ``probe`` (the check at a start) or ``direct`` (past the gateway); None
        where no request is being answered, as in the notebook. The bento has this function even where this package
        is not installed.
    """
    module = sys.modules.get(f"{__name__}.serving.role")
    role: str | None = module.serving_role() if module else None
    return role


def __getattr__(name: str) -> Any:
    """The verbs and others, made when they are first used: importing this package stays cheap."""
    if name in _PLACES:
        return getattr(import_module(_PLACES[name], __name__), name)
    if name in _IN_NOTEBOOKS:
        from .faces.kernel import validation_api  # noqa: PLC0415

        return getattr(validation_api, name)
    if name in __all__ and _is_rerun():
        from .notebooks.rerun import skipped_verb  # noqa: PLC0415

        return skipped_verb(f"jupyter_deploy.{name}")
    if name == "panel":
        from .faces.panel import panel  # noqa: PLC0415

        return panel
    if name in __all__:
        from .faces.kernel.python_api import verb  # noqa: PLC0415

        return verb(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> Iterable[str]:
    """The verbs and what modules have anyway."""
    return sorted([*globals(), *__all__])


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext jupyter_deploy``: the magics, and how results look in a notebook."""
    if _is_rerun():
        from .notebooks import rerun  # noqa: PLC0415

        rerun.load(shell, set(__all__) - {"deploy", "DeployError", "model_input", "serving_role", *_IN_NOTEBOOKS})
        return
    from .faces.kernel.magics import load  # noqa: PLC0415

    load(shell)


def _is_rerun() -> bool:
    from .notebooks.rerun import is_rerun  # noqa: PLC0415

    return is_rerun()

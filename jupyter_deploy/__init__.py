"""nbdeploy: turn the model in an open notebook into a running, validated, observable service.

In a notebook: ``%load_ext jupyter_deploy`` and then ``%deploy model --name churn --example "X_test[:5]"``.
In Python: ``jupyter_deploy.deploy(model, name="churn", example=X_test[:5])``. In a shell: ``nbdeploy --help``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__version__ = "0.1.0"

__all__ = [
    "DeployError",
    "compare",
    "deploy",
    "describe",
    "down",
    "history",
    "list",
    "logs",
    "panel",
    "predict",
    "promote",
    "reconcile",
    "rollback",
    "stop",
    "traffic",
]


def __getattr__(name: str) -> Any:
    """The verbs, made when they are first used: importing this package stays cheap."""
    if name == "DeployError":
        from .domain.errors import DeployError  # noqa: PLC0415

        return DeployError
    if name == "panel":
        from .faces.panel import panel  # noqa: PLC0415

        return panel
    if name in __all__:
        from .faces.verbs import verb  # noqa: PLC0415

        return verb(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> Iterable[str]:
    """The verbs and what modules have anyway."""
    return sorted([*globals(), *__all__])


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext jupyter_deploy``: the magics, and how results look in a notebook."""
    from .faces.magics import load  # noqa: PLC0415

    load(shell)

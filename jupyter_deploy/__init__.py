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
__all__ += ("DeployError", "connection", "feature_lookup", "load", "model_input", "panel", "serving_role", "spark_udf")

_MODULES = {
    "DeployError": ".domain.errors",
    "candidates": ".faces.kernel.model_selection",
    "load": ".faces.kernel.predictor",
    "model_input": ".faces.kernel.model_input",
    "recorded": ".faces.kernel.recorded",
    "spark_udf": ".faces.kernel.spark_udf",
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


def connection(make: Any, check: Any = None, shadow: Any = None) -> Any:
    """Decorate a function that connects to a database or a service, so that each process of a release connects itself.

    ::

        @jupyter_deploy.connection
        def db():
            return psycopg.connect(os.environ["DB_URL"])

    The model calls ``db()`` wherever it needs the connection. The first call in a process and thread makes it; later
    ones return the same. A connection that was unused for 30 seconds is checked first, and one that a failed call has
    left broken is made again. While it cannot be made, requests are answered with 503 and ``retry-after``, and attempts
    pause for 1 to 30 seconds. At the end of the process it is closed.

    Parameters
    ----------
    make : callable
        Makes a connection. A snapshot has the function, and no open connection.
    check : callable, optional
        Gets a connection; False or an exception means that it is broken (default: ``closed``, ``ping`` or ``SELECT 1``,
        for psycopg, SQLAlchemy, DuckDB, redis, pymongo and DB-API 2.0). Also ``@db.check``.
    shadow : callable, optional
        Makes the connection of a shadow, such as a read-only one to a replica. Also ``@db.shadow``.

    Returns
    -------
    jupyter_deploy.serving.connections.Connection
        Call it to get the connection; it raises ``ResourceUnavailable`` if that cannot be made.
    """
    from .serving.connections import Connection

    return Connection(make, check, shadow)


def feature_lookup(connection: Any, **options: Any) -> Any:
    """Define features that a release looks up by a key, so that a request brings the key in place of them.

    ::

        customers = jupyter_deploy.feature_lookup(
            db,
            key="customer_id",
            sql="SELECT customer_id, age, income FROM customers WHERE customer_id IN ({keys})",
            max_age="1h",
        )

        %deploy churn --name churn --example "rows[:5]" --lookup customers

    A request's rows may then have ``customer_id`` in place of ``age`` and ``income``. Features that a row has anyway
    are kept. One query gets the features of all requests that wait. The rows with the looked-up values are recorded.

    Parameters
    ----------
    connection : callable
        Returns a connection of DB-API 2.0 (psycopg, sqlite3, …), DuckDB's, or a client of Redis: a function with
        ``@jupyter_deploy.connection``.
    key : str
        The key in requests; whole numbers or texts.
    sql : str, optional
        A query that returns the key, by this name, and the features, at most one row a key. ``{keys}`` stands for the
        list of keys, ``{as_of}`` for the moment: now for requests, and the row's own in
        ``lookup.table(frame, as_of="time")``, which gives a training table the features of then.
    redis_hash : str, optional
        In place of ``sql``: the name of a Redis hash, with ``{key}`` in it.
    fields : sequence of str, optional
        The features in that hash.
    max_age : float or str, optional
        Seconds, or text such as ``"15m"`` or ``"1h"``, for which a process may use a value again (default: 0, never).
    entries : int, optional
        The most keys in the cache of a process (default: 10,000).
    missing : "refuse" or dict, optional
        Features of a key that has no row: ``refuse`` answers 422, a dict has the defaults by feature.

    Returns
    -------
    jupyter_deploy.serving.features.lookup.FeatureLookup
        For ``deploy --lookup``.

    Raises
    ------
    ValueError
        The definition is incomplete or contradicts itself.
    """
    from .serving.features.lookup import FeatureLookup

    return FeatureLookup(connection, **options)


def __getattr__(name: str) -> Any:
    """Make the verbs and other functions at their first use: importing this package stays cheap."""
    if (name in BY_NAME or name in _BESIDE_VERBS) and _is_skipped(name):
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
    skipped = [name for name in (*BY_NAME, *_BESIDE_VERBS) if _is_skipped(name)]
    if len(skipped) < len(BY_NAME):
        from .faces.kernel.magics import load

        load(shell)
    if skipped:
        from .notebooks import rerun

        rerun.load(shell, [name for name in skipped if name != "deploy"])


def _is_skipped(name: str) -> bool:
    """Whether a verb does nothing, since nbdeploy runs this notebook; verbs that only read work in a validation."""
    from .notebooks.rerun import is_rerun, is_validation

    return is_rerun() and not (is_validation() and name in BY_NAME and BY_NAME[name].safe)

"""Functions for validation notebooks: ``model``, ``reference``, ``metric`` and ``check``; also interactively.

Light: it is imported in every validation's kernel, where imports are most of the time.
"""

from __future__ import annotations

import html
import itertools
import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.statistic import METRIC_MIME, RECORDED
from jupyter_deploy.faces.render.notebook_errors import errors_at_caller
from jupyter_deploy.notebooks.rerun import is_rerun

if TYPE_CHECKING:
    from .served_model import ServedModel

_models: dict[str, ServedModel] = {}
_recorded: set[str] = set()
_numbers = itertools.count(1)
_numbering = threading.Lock()


@errors_at_caller
def model(name: str | None = None) -> ServedModel:
    """Return the model under test, served over HTTP like a release.

    ``nbdeploy validate`` chooses it. In an interactive kernel it comes from the store and is served until the kernel
    ends: by ``name``, else by the notebook's variable ``snapshot`` or ``endpoint``, else the only endpoint's candidate,
    or its stable release if it has no candidate.

    Parameters
    ----------
    name
        A snapshot's tag or an endpoint's name. Under ``nbdeploy validate`` it must name the model under test.

    Raises
    ------
    InvalidInput
        The model is ambiguous, and the error names the endpoints; or ``name`` is not the model under test.
    StartFailed, EnvironmentChanged
        The model cannot be served.
    """
    if "NBDEPLOY_MODEL" in os.environ:
        _require_validated(name)
        return _served("NBDEPLOY_MODEL")
    from .interactive_model import interactive_model  # the store, which only this needs

    return interactive_model(name)


@errors_at_caller
def reference(name: str | None = None) -> ServedModel | None:
    """Return the endpoint's current stable release, served like ``model()``; None: there is none.

    Interactively the endpoint is found as for ``model``; under ``nbdeploy validate`` it is the model's endpoint.
    """
    if "NBDEPLOY_MODEL" in os.environ:
        _require_validated(name)
        return _served("NBDEPLOY_REFERENCE") if "NBDEPLOY_REFERENCE" in os.environ else None
    from .interactive_model import interactive_reference

    return interactive_reference(name)


def _require_validated(name: str | None) -> None:
    """Raise if a name is not the model under test: metrics of another model must not pass its gates.

    If the notebook runs with stable, the name in the notebook is still the candidate's.
    """
    subject = os.environ.get("NBDEPLOY_SUBJECT", os.environ["NBDEPLOY_MODEL"])
    own, _, version = subject.partition(":")
    given, _, beginning = (name or "").partition(":")
    begins = given == own and beginning != "" and version.startswith(beginning)
    if name not in (None, own, subject, os.environ.get("NBDEPLOY_SUBJECT_ENDPOINT")) and not begins:
        raise InvalidInput(
            f"'{name}' is not the model under test, which is {subject}",
            "write model() without a name, or validate that one with --snapshot",
        )


def _served(variable: str) -> ServedModel:
    """Return the model at this kernel's address; one for each kernel, since it keeps its connection."""
    from .served_model import ServedModel  # a notebook may record metrics alone

    url = os.environ[f"{variable}_URL"]
    if url not in _models:
        _models[url] = ServedModel(url, os.environ[variable])
    return _models[url]


@errors_at_caller
def metric(
    name: str,
    value: float | None = None,
    *,
    n: int | None = None,
    rows: Any = None,
    group: Mapping[str, Any] | None = None,
    statistic: str | Callable[..., Any] = "mean",
    by: Any = None,
    share: bool = False,
    cluster: Any = None,
) -> None:
    """Record a metric for gates.

    Parameters
    ----------
    name
        Letters, digits and ``_``. ``nbdeploy validate`` takes each name (with its group) once.
    value
        The metric's value; with ``n``, the number of its rows.
    rows
        In place of ``value`` one number or true/false for each row: a Series, array, tensor or list. With them a gate
        knows the metric's uncertainty, and compares the same rows of two models. With a function as ``statistic`` a
        tuple of its arguments, arrays of one length.
    group
        The metric's subgroup: ``{"sex": "F"}``.
    statistic
        A statistic of the rows: mean, median, rms, p50, p90, p95, p99, min, max, sum; or a function of the rows such as
        ``roc_auc_score``, which is called 1000 times more with resampled rows.
    by
        A Series with a name, a frame or a dict of arrays: one more metric for each value of each column, and for each
        combination of values of several columns. ``by=X["sex"]`` makes ``accuracy[sex=F]``. Rows where it is missing
        are the group ``missing``. A subgroup on which a function has no value leaves its gates inconclusive.
    share
        ``value`` is a share of ``n`` rows, such as an accuracy; a gate then knows its uncertainty. Without it, a value
        without rows is taken as exact.
    cluster
        The cluster of each row, such as a patient or a session: rows of one cluster are alike, so a gate counts the
        clusters. At least 20 are needed.

    Raises
    ------
    InvalidInput
        The value is not a finite number, or there are no or too many rows; the message names the metric.
    """
    from .metrics import measure

    # All are calculated before any is shown: a failure records nothing.
    measured = measure(
        name, value=value, n=n, rows=rows, group=group, statistic=statistic, by=by, share=share, cluster=cluster
    )
    for one in list(measured):
        if is_rerun() and one.title in _recorded:  # interactively a cell may run repeatedly
            raise InvalidInput(f"metric '{one.title}' was recorded already", "give each a name of its own")
        _recorded.add(one.title)
        _show(one.document(), one.words())


@errors_at_caller
def check(name: str, passed: Any, detail: str = "") -> None:
    """Record a check; one that does not hold fails the validation.

    Parameters
    ----------
    passed
        One truth value, such as ``(p >= 0).all()``.
    detail
        An explanation for readers if the check fails.

    Raises
    ------
    InvalidInput
        ``passed`` is not one truth value.
    """
    if not isinstance(name, str) or not name.strip():
        raise InvalidInput(f"{name!r} cannot name a check", "name the expected property in a few words")
    several = getattr(passed, "shape", ()) not in ((), (1,))
    if several or passed is None or isinstance(passed, str | list | tuple | dict) or type(passed).__name__ == "NAType":
        raise InvalidInput(
            f"check '{name}' is no one truth value but of the type {type(passed).__name__}",
            "write, for example, (p >= 0).all()",
        )
    holds = bool(passed)
    words = f"{'✓' if holds else '✗'} {name}" + (f": {detail}" if detail and not holds else "")
    document = {"kind": "check", "name": name, "passed": holds, "detail": str(detail)}
    _show(document, words, "#2e7d32" if holds else "#c62828")


def _show(document: dict[str, Any], words: str, edge: str = "#6b7f99") -> None:
    from jupyter_deploy.faces.render.shell import current_shell

    shell = current_shell()
    if RECORDED in os.environ:
        document = _numbered(document, shell)
    if shell is None:
        print(words)
        return
    from IPython.display import display

    style = f"border-left:4px solid {edge};padding:2px 8px"
    html_text = f"<div style='{style}'>{html.escape(words)}</div>"
    display({METRIC_MIME: document, "text/plain": words, "text/html": html_text}, raw=True)


def _numbered(document: dict[str, Any], shell: Any) -> dict[str, Any]:
    """Number a document; the cell's reply has the number too, so that a lost display message is noticed.

    Raises
    ------
    InvalidInput
        The document would certainly be lost, and a failed check with it.
    """
    kernel = getattr(shell, "kernel", None)
    lost = f"{document['kind']} '{document['name']}' would be lost"
    own = getattr(
        getattr(kernel, "session", None), "pid", os.getpid()
    )  # of other kernels than ipykernel it is not known
    if kernel is None or own != os.getpid():
        raise InvalidInput(
            f"{lost}: this is not the notebook's own process",
            "return the values to the notebook's process, and record the metric in a cell",
        )
    from IPython.core.displaypub import CapturingDisplayPublisher

    with _numbering:
        number = next(_numbers)
        if number == 1:
            _disable_drops(kernel)
        shell.payload_manager.write_payload({"source": "nbdeploy", RECORDED: number})
    if isinstance(shell.display_pub, CapturingDisplayPublisher):  # %%capture swallows this too, so the number is given
        raise InvalidInput(
            f"{lost}: the cell's output is captured", "record it in a cell without %%capture and capture_output()"
        )
    return document | {"number": number}


def _disable_drops(kernel: Any) -> None:
    """Let the kernel's publishing socket wait for a slow reader instead of dropping messages.

    By default it drops them after 1000 unread messages (ZeroMQ's high-water mark).
    """
    thread = getattr(kernel, "iopub_thread", None)
    if thread is not None:  # of other kernels than ipykernel it is not known
        thread.schedule(lambda: setattr(thread.socket, "xpub_nodrop", True))

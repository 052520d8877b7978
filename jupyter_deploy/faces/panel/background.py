"""Messages to the front end that belong to no cell, and threads that send them."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

from jupyter_deploy.faces.render.shell import current_shell

T = TypeVar("T")


def apart(function: Callable[..., T], *args: object) -> T:
    """Call a function so that what it sends to the front end answers no request.

    ipykernel notes with each message of a widget which shell's request led to it, and hands the widget's next
    messages from the front end to that shell. For a widget made in a cell that is the main one, which is busy while a
    cell runs. Of a message that answers no request nothing is noted: then the front end's word counts, and JupyterLab
    and Notebook 7 send widgets' messages to a subshell, so that the controls work while a cell runs.
    """
    context = contextvars.copy_context()
    context.run(_forget_request)
    return context.run(function, *args)


def start(function: Callable[..., None], *args: object, name: str) -> threading.Thread:
    """Run a function apart in a thread that does not keep the kernel from ending."""
    thread = threading.Thread(target=apart, args=(function, *args), name=f"nbdeploy-panel-{name}", daemon=True)
    thread.start()
    return thread


def _forget_request() -> None:
    # ipykernel has no public way to say this for one context alone: set_parent() speaks for all threads.
    request = getattr(getattr(current_shell(), "kernel", None), "_shell_parent", None)
    if isinstance(request, contextvars.ContextVar):
        request.set({})

"""Handling of a request for which the model runs out of memory: the client may retry, and the worker continues."""

from __future__ import annotations

import sys
import traceback

from ..asgi.problems import Problem

_RETRY_AFTER = (b"retry-after", b"5")


def out_of_memory_problem(error: BaseException) -> Problem | None:
    """Return a problem 503 if the error is a lack of memory, else None.

    GPU memory that torch caches is released, so the next request or another process can use it.
    """
    torch = sys.modules.get("torch")
    on_gpu = torch is not None and isinstance(error, torch.OutOfMemoryError)
    if not on_gpu and not isinstance(error, MemoryError):
        return None
    traceback.clear_frames(error.__traceback__)  # the frames hold the request's data
    if on_gpu and torch is not None:
        torch.cuda.empty_cache()  # does nothing if CUDA was never used
    owner = "the GPU" if on_gpu else "the service"
    detail = f"{owner} has no memory left for this request; try again, or send fewer rows"
    return Problem(503, detail, headers=[_RETRY_AFTER])

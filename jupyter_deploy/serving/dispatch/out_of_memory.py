"""A model that finds no room for one request: the client may try again, and the worker goes on."""

from __future__ import annotations

import sys
import traceback

from ..asgi.problems import Problem

_RETRY_AFTER = (b"retry-after", b"5")


def out_of_memory_problem(error: BaseException) -> Problem | None:
    """What is answered where the model ran out of memory; None: it failed otherwise.

    What torch keeps of a GPU's memory is given back, so that the next request, or another process, may have it.
    """
    torch = sys.modules.get("torch")
    on_gpu = torch is not None and isinstance(error, torch.OutOfMemoryError)
    if not on_gpu and not isinstance(error, MemoryError):
        return None
    traceback.clear_frames(error.__traceback__)  # they hold what was made for this request
    if on_gpu and torch is not None:
        torch.cuda.empty_cache()  # does nothing where CUDA was never used
    owner = "the GPU" if on_gpu else "the service"
    detail = f"{owner} has no memory left for this request; try again, or send fewer rows"
    return Problem(503, detail, headers=[_RETRY_AFTER])

"""PyTorch: modules are asked in eval mode and without gradients."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .base import Framework, loaded


class Torch(Framework):
    """``torch.nn.Module``."""

    name = "torch"

    def base_of(self, model: Any) -> type | None:
        base: type | None = loaded("torch.nn", "Module")
        return base if base is not None and isinstance(model, base) else None

    def signature_of(self, model: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        # A module is called through torch's own __call__(*args); what it takes is what forward takes.
        forward: Callable[..., Any] = model.forward
        return forward if call is model else call

    @contextmanager
    def asking(self, model: Any) -> Iterator[tuple[str, ...]]:
        """Each part gets its own mode back afterwards: a frozen layer stays frozen."""
        torch = sys.modules["torch"]
        modes = {module: module.training for module in model.modules()}
        model.eval()
        try:
            with torch.no_grad():
                yield (
                    ("the module was in train mode; it was asked, and is served, in eval mode",)
                    if any(modes.values())
                    else ()
                )
        finally:
            for module, training in modes.items():
                module.training = training

    def hint(self, error: Exception, container: str) -> str | None:
        del error
        if container == "array":
            return "the module was given a numpy array; give it a tensor, such as torch.as_tensor(X[:5])"
        return None

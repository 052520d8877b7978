"""Hugging Face pipelines: a text, or a list of texts; their weights go into the same file as those of torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from .base import Framework, loaded
from .torch import asked_for_answers, described

if TYPE_CHECKING:
    from jupyter_deploy.capture.candidates.tables import TableVariable


class Transformers(Framework):
    """``transformers.Pipeline``; a model without one is a torch module."""

    name = "transformers"
    called = True

    def base_of(self, model: Any) -> type | None:
        base: type | None = loaded("transformers.pipelines.base", "Pipeline")
        return base if base is not None and isinstance(model, base) else None

    def guess(self, model: Any, table: TableVariable, namespace: Mapping[str, Any]) -> tuple[str | None, float] | None:
        """Texts."""
        del model, namespace
        return (table.sliced if table.form == "texts" else None), 4.0

    def method(self, model: Any) -> str | None:
        """The call; its ``predict`` is there for scikit-learn's sake."""
        del model
        return None

    def takes_lists(self, model: Any) -> bool:
        del model
        return True

    def signature_of(self, model: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        """What is asked; how (``top_k``, ``batch_size``) is the pipeline's own setting."""
        if call is not model:
            return call

        def asked(inputs: Any) -> Any:
            return model(inputs)

        return asked

    @contextmanager
    def asking(self, model: Any) -> Iterator[tuple[str, ...]]:
        """It counts its calls, and its tokenizer keeps how the last one padded: neither is content."""
        module, calls = model.model, model.call_count
        model.call_count = 0
        if hasattr(model.tokenizer, "backend_tokenizer"):
            model.tokenizer.backend_tokenizer.no_padding()
            model.tokenizer.backend_tokenizer.no_truncation()
        try:
            with asked_for_answers(module) if _is_module(module) else nullcontext(()) as notes:
                yield notes
        finally:
            model.call_count = calls

    def hyperparameters(self, model: Any) -> dict[str, Any]:
        told: dict[str, Any] = {"task": model.task, "architecture": type(model.model).__name__}
        return told | (described(model.model) if _is_module(model.model) else {})


def _is_module(model: Any) -> bool:
    base = loaded("torch.nn", "Module")
    return base is not None and isinstance(model, base)

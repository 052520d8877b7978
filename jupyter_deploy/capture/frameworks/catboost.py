"""CatBoost: its models are their own estimators; stored as CatBoost's binary files (cbm)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .base import NativeWriter, loaded
from .boosters import BoosterFiles, Unwritable
from .sklearn import Sklearn


class CatBoost(Sklearn):
    """``CatBoost``, ``CatBoostClassifier`` and their like."""

    name = "catboost"
    containers = frozenset({"catboost.Pool", "_catboost.Pool"})
    wrappers = frozenset({"Pool"})

    def base_of(self, model: Any) -> type | None:
        """CatBoost's own class: no other framework knows it."""
        base: type | None = loaded("catboost", "CatBoost")
        return base if base is not None and isinstance(model, base) else None

    def is_fitted(self, model: Any) -> bool:
        """CatBoost knows it."""
        return bool(loaded("catboost", "CatBoost").is_fitted(model))

    def features(self, model: Any) -> tuple[str, ...] | None:
        """The columns; those of an array, which CatBoost numbers, have no names."""
        names = tuple(map(str, model.feature_names_))
        return None if names == tuple(map(str, range(len(names)))) else names

    def hint(self, error: Exception, container: str) -> str | None:
        """CatBoost's errors are of one class."""
        if "no trained model" in str(error):
            return "fit it before it is deployed"
        return super().hint(error, container)

    def native_writer(self, folder: Path) -> NativeWriter | None:
        """A writer of models, also of those inside pipelines and searches."""
        base = loaded("catboost", "CatBoost")
        return None if base is None else BoosterFiles(folder, "catboost", "cbm", (base,), _write)


def _write(model: Any, path: Path) -> tuple[Any, ...]:
    """A copy without the random name and the time that CatBoost gives each fit: they are no change of the model."""
    # A copy of one with a tokenizer or the like ends the process when it is saved.
    if not model.is_fitted() or _texts_or_embeddings(model):
        raise Unwritable
    copied = model.copy()
    known = copied.get_metadata()
    for name in ("model_guid", "train_finish_time"):
        if name in known.keys():  # noqa: SIM118 - CatBoost's mapping knows no other way
            known[name] = ""
    copied.save_model(str(path), format="cbm")
    return ({name: value for name, value in vars(model).items() if name not in ("_object", "_canonized_params")},)


def _texts_or_embeddings(model: Any) -> bool:
    questions = ("_get_text_feature_indices", "_get_embedding_feature_indices")
    return any(len(getattr(model, question)()) for question in questions)

"""Models of R by exact graphs of their designs, which ``design.R`` and its neighbours describe at the capture."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jupyter_deploy import __version__

from .converters import Graph, GraphInput, NotTranslatable
from .imputation import MISSING_TEXT
from .r_design import RGraph, read_design
from .r_linear import GlmnetGraph, LinearGraph
from .r_trees import ForestGraph, RpartGraph, splits_of
from .thresholds import rows_at

_GRAPHS: Mapping[str, type[RGraph]] = {
    "linear": LinearGraph,
    "glmnet": GlmnetGraph,
    "rpart": RpartGraph,
    "forest": ForestGraph,
}
"""By the kind of design."""

_ROWS = 2_000
_WIDER = (3.0, 30.0, 1e4)
"""How far beyond the seen ranges rows are, so that an inverse link is compared at its bounds."""

_WHOLE = 2**31 - 1

_SEVERAL, _SHARE = 500, 0.4
"""Rows with several numbers missing, and the share of each: rpart's surrogates decide there."""


class RConverter:
    """The Converter of R's models whose design R describes."""

    def takes(self, model: Any) -> bool:
        """Whether the model is one of R's."""
        kind = getattr(sys.modules.get("jupyter_deploy.serving.natives.r"), "RModel", ())
        return isinstance(model, kind)

    def by_column(self, model: Any) -> bool:
        """Formulas name their columns."""
        del model
        return True

    def convert(self, model: Any, method: str, inputs: GraphInput) -> Graph:
        """Make the graph of a model's design."""
        del method  # the design has the type of the captured predict
        design = read_design(model.folder)
        try:
            import onnx  # noqa: F401 - GraphParts writes the graph by it
        except ImportError as error:
            raise NotTranslatable("onnx is not installed: pip install 'nbdeploy[onnx]'") from error
        made = _GRAPHS[design.document["kind"]](design)
        kinds = inputs.kinds or {}
        answer = made.answer(next(iter(kinds)))
        content = made.parts.content(kinds, answer, kind=made.kind, width=made.width)
        draws = design.document.get("answer") == "label" and design.document["kind"] == "forest"
        return Graph(content, answer, f"nbdeploy {__version__}", MISSING_TEXT, made.known, draws, frames=True)

    def critical_rows(self, model: Any, base: Any, generator: np.random.Generator) -> dict[str, Any]:
        """Return rows beyond the seen ranges, where inverse links have bounds, and rows with missing numbers."""
        numbers = [
            column["name"] for column in model.about["columns"] if column["kind"] in ("double", "integer", "logical")
        ]
        if not numbers:
            return {}
        wide = _sampled(base, numbers, _ROWS, generator)
        for column in model.about["columns"]:
            if column["kind"] in ("double", "integer"):
                seen = base[column["name"]].to_numpy(np.float64, na_value=np.nan)
                values = _wider(seen[np.isfinite(seen)], generator)
                wide[column["name"]] = np.rint(values).clip(-_WHOLE, _WHOLE) if column["kind"] == "integer" else values
        missing = _sampled(base, numbers, 2 * len(numbers), generator)
        for place, name in enumerate(numbers):
            missing.loc[[2 * place, 2 * place + 1], name] = np.nan
        gone = _sampled(base, numbers, _SEVERAL, generator)
        for name in numbers:
            gone.loc[generator.random(_SEVERAL) < _SHARE, name] = np.nan
        missing = sys.modules["pandas"].concat([missing, gone], ignore_index=True)
        return {"beyond": wide, "missing": missing, "threshold": _at_splits(model, base, generator)}


def _at_splits(model: Any, base: Any, generator: np.random.Generator) -> Any:
    """Return rows with one number at a split of a tree, or next to it."""
    kinds = {column["name"]: column["kind"] for column in model.about["columns"]}
    found = splits_of(read_design(model.folder))
    splits = [
        (place, point)
        for place, name in enumerate(base.columns)
        if name in found and kinds[name] == "double"
        for point in found[name].tolist()
    ]
    return rows_at(splits, base, generator)


def _sampled(base: Any, numbers: list[str], rows: int, generator: np.random.Generator) -> Any:
    """Return rows of the base whose numbers are of 64 bits, so that one may be missing."""
    frame = base.iloc[generator.integers(0, len(base), rows)].reset_index(drop=True).copy()
    for name in numbers:
        frame[name] = frame[name].to_numpy(np.float64, na_value=np.nan)
    return frame


def _wider(seen: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    low, high = (seen.min(), seen.max()) if len(seen) else (0.0, 1.0)
    half = max((high - low) / 2, 1.0)
    return np.asarray((low + high) / 2 + half * generator.choice(_WIDER, _ROWS) * generator.uniform(-1, 1, _ROWS))

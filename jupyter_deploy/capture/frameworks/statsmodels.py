"""statsmodels: results of fits, also of models by formula, whose terms may use functions of the notebook."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jupyter_deploy.capture.static_attributes import own

from .base import Framework, NativeWriter, loaded
from .boosters import held
from .parameters import as_json


class Statsmodels(Framework):
    """What ``fit()`` returns."""

    name = "statsmodels"
    trained = True
    answers_first = frozenset({"OLS", "WLS", "GLS", "GLM", "Logit", "Probit", "Poisson", "MNLogit", "RLM", "QuantReg"})

    def base_of(self, model: Any) -> type | None:
        """Results, or the wrapper that ``fit()`` returns around them."""
        bases: tuple[type | None, ...] = (
            loaded("statsmodels.base.wrapper", "ResultsWrapper"),
            loaded("statsmodels.base.model", "Results"),
        )
        return next((base for base in bases if base is not None and isinstance(model, base)), None)

    def answering(self, model: Any) -> Any:
        """The results within the wrapper."""
        return own(model).get("_results", model)

    def chooses_columns(self, model: Any) -> bool:
        """By the formula."""
        del model
        return True

    def features(self, model: Any) -> tuple[str, ...] | None:
        """A formula's variables; without a formula the columns, unless statsmodels made up their names."""
        data = getattr(getattr(model, "model", None), "data", None)
        spec = getattr(data, "model_spec", None)
        if spec is not None:
            frame = getattr(data, "frame", None)
            if frame is None:  # training data removed, or a design made by hand
                return None
            used = {name for code in _factors(spec) for name in _names(code)}
            return tuple(str(column) for column in _columns(frame) if str(column) in used)
        exog: Any = getattr(data, "orig_exog", None)
        return tuple(map(str, exog.columns)) if hasattr(exog, "columns") else None

    def width(self, model: Any) -> int | None:
        """The columns of the design; None for a formula, which makes its own design, and without training data."""
        inner = getattr(model, "model", None)
        if getattr(getattr(inner, "data", None), "model_spec", None) is not None:
            return None
        exog: Any = getattr(inner, "exog", None)
        return int(exog.shape[1]) if getattr(exog, "ndim", 0) == 2 else None

    def hyperparameters(self, model: Any) -> dict[str, Any]:
        """Class of the model, formula, family and link, method and covariance of the fit: those that it has."""
        inner = model.model
        family = getattr(inner, "family", None)
        found = {
            "model": type(inner).__name__,
            "formula": getattr(inner, "formula", None),
            "family": family and type(family).__name__,
            "link": family and type(family.link).__name__,
            "method": getattr(model, "method", None),
            "cov_type": getattr(model, "cov_type", None),
        }
        return {name: as_json(value) for name, value in found.items() if value is not None}

    def reducer(self, kind: type) -> Callable[[Any], tuple[Any, ...]] | None:
        """Results with their attributes in one order, which may follow from a set's; GLM without its scratch memory."""
        if (results := loaded("statsmodels.base.model", "Results")) and issubclass(kind, results):
            return _sorted
        glm = loaded("statsmodels.genmod.generalized_linear_model", "GLM")
        return _without_scratch if glm and issubclass(kind, glm) else None

    def native_writer(self, folder: Path) -> NativeWriter | None:
        """What keeps a formula's names; there is no format of statsmodels' own but the pickle."""
        del folder
        kind = loaded("statsmodels.base.data", "ModelData")
        return None if kind is None else _Formulas(kind)


def _columns(frame: Any) -> Iterable[Any]:
    """The names of a formula's data, a frame or a dict of columns."""
    return frame if isinstance(frame, dict) else frame.columns


def _sorted(results: Any) -> tuple[Any, ...]:
    made, arguments, state, *rest = results.__reduce_ex__(4)
    return made, arguments, dict(sorted(state.items())), *rest


def _without_scratch(model: Any) -> tuple[Any, ...]:
    """Its scratch memory holds whatever was there when it was allocated."""
    made, arguments, state, *rest = model.__reduce_ex__(4)
    scratch = state.get("_tmp_like_exog")
    cleared = {} if scratch is None else {"_tmp_like_exog": np.zeros_like(scratch)}
    return made, arguments, state | cleared, *rest


class _Formulas:
    """Stores the data of models by formula together with the notebook's names that the formula uses.

    statsmodels pickles the formula alone and evaluates it again when it is loaded, looking for such names in whatever
    called the loader. It is no format of files: what the reference holds goes into the pickle.
    """

    format = "statsmodels"

    def __init__(self, kind: type) -> None:
        self._kind = kind

    def takes(self, kind: type) -> bool:
        return issubclass(kind, self._kind)

    def take(self, part: Any) -> tuple[Any, ...] | None:
        spec = getattr(part, "model_spec", None)
        return None if spec is None else (type(part), held(part.__getstate__()), held(_borrowed(spec, part)))

    def finish(self) -> dict[str, str]:
        return {}


def _borrowed(spec: Any, data: Any) -> dict[str, Any]:
    """The names in the formula's terms that are no columns, with their values: functions, constants, modules.

    patsy keeps these values; formulaic does not, so they are looked up in the notebook's namespace.
    """
    names = {name for code in _factors(spec) for name in _names(code)} - set(map(str, getattr(data, "frame", ())))
    found: dict[str, Any] = {}
    for factor in getattr(spec, "factor_infos", {}).values():
        # Of its namespaces the first one that has a name decides.
        for namespace in reversed(getattr(factor.state.get("eval_env"), "_namespaces", ())):
            found |= namespace
    if not hasattr(spec, "factor_infos"):
        found = vars(sys.modules["__main__"])
    return {name: found[name] for name in sorted(names & set(found)) if not _of_patsy(found[name])}


def _of_patsy(value: Any) -> bool:
    """C(), Q() and their like are found by patsy itself."""
    return str(getattr(value, "__module__", "")).startswith("patsy.")


def _factors(spec: Any) -> Iterator[str]:
    """The Python expressions of the terms."""
    for factor in getattr(spec, "factor_infos", ()):
        yield factor.code
    yield from (str(factor) for term in getattr(spec, "formula", None) or () for factor in getattr(term, "factors", ()))


def _names(code: str) -> set[str]:
    """Names in an expression; texts too, since Q("name of a column") quotes one."""
    try:
        nodes = list(ast.walk(ast.parse(code, mode="eval")))
    except SyntaxError:
        return {code.strip("`")}
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return names | {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}

"""Estimators and pipelines of scikit-learn, and boosters, by skl2onnx; trees by exact graphs of our own."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import encoding, ensembles, imputation, linear, vectorizers
from .converters import Graph, GraphInput, NotTranslatable
from .thresholds import threshold_rows
from .writer import classifies

_OUTPUTS = {"predict_proba": 1, "predict": 0, "transform": 0}
_REASON = 200  # characters of a library's own message


class SklearnConverter:
    """The Converter of scikit-learn's estimators, and of those that follow its interface and have an exact graph."""

    def takes(self, model: Any) -> bool:
        """Whether the model is an estimator of scikit-learn, a pipeline, or boosted trees with an exact graph."""
        model = _searched(model)
        base = getattr(sys.modules.get("sklearn.base"), "BaseEstimator", ())
        own = isinstance(model, base) and type(model).__module__.startswith("sklearn.")
        return own or type(model) in ensembles.kinds()

    def by_column(self, model: Any) -> bool:
        """Whether a step chooses columns by name, encodes categories itself, or takes texts."""
        model = _searched(model)
        kind = getattr(sys.modules.get("sklearn.compose"), "ColumnTransformer", ())
        steps = [model, *_steps(model)]
        chooses = any(isinstance(step, kind) for step in steps)
        return chooses or _encodes_categories(model) or vectorizers.takes_texts(model)

    def convert(self, model: Any, method: str, inputs: GraphInput) -> Graph:
        """Make the graph of one method's answers, in 64-bit numbers."""
        model = _searched(model)
        if method not in _OUTPUTS:
            raise NotTranslatable(f"the method '{method}' cannot be translated; {', '.join(_OUTPUTS)} can")
        if importlib.util.find_spec("skl2onnx") is None:
            raise NotTranslatable("skl2onnx is not installed: pip install 'nbdeploy[onnx]'")
        import skl2onnx
        from skl2onnx.common.data_types import DoubleTensorType, StringTensorType

        from . import trees
        from .writer import set_types

        exact = dict.fromkeys(trees.exact_kinds(), trees.convert) | dict.fromkeys(ensembles.kinds(), ensembles.convert)
        encoder = encoding.kind()
        encoders = {} if encoder is None else {encoder: encoding.convert}
        counters, labelling = vectorizers.converters(), linear.converters()
        found = vectorizers.words_of(model, _columns(model))
        kinds = {"number": DoubleTensorType, "text": StringTensorType}
        if inputs.kinds is None:
            types = [("X", DoubleTensorType([None, inputs.width]))]
        else:
            types = [(name, kinds[kind]([None, 1])) for name, kind in inputs.kinds.items()]
            _require_texts(found, inputs.kinds)
        try:
            converted = skl2onnx.convert_sklearn(
                model,
                name="model",  # the default is another one each time
                initial_types=types,
                options=_options(_last(model)),
                custom_conversion_functions=exact | imputation.converters() | encoders | counters | labelling,
                custom_shape_calculators=dict.fromkeys([*exact, *labelling], set_types)
                | dict.fromkeys(encoders, encoding.set_types)
                | dict.fromkeys(counters, vectorizers.set_types),
                custom_parsers={kind: _outputs for kind in exact if not kind.__module__.startswith("sklearn.")}
                # In 64 bits: a later step's types follow from these.
                | dict.fromkeys([*encoders, *counters, *labelling], _outputs),
                target_opset={"": 17, "ai.onnx.ml": 3},  # com.microsoft is ONNX Runtime's own
            )
        except NotTranslatable:
            raise
        except Exception as error:
            words = " ".join(str(error).split())[:_REASON]
            raise NotTranslatable(f"skl2onnx cannot convert it: {type(error).__name__}: {words}") from error
        outputs = [output.name for output in converted.graph.output]
        number = _OUTPUTS[method]
        if number >= len(outputs):
            raise NotTranslatable(f"its graph has no output for {method}")
        return Graph(
            converted.SerializeToString(),
            outputs[number],
            f"skl2onnx {skl2onnx.__version__}",
            imputation.MISSING_TEXT,
            _known_texts(model),
            words=found,
            rows_at_once=vectorizers.rows_at_once(model),
        )

    def critical_rows(self, model: Any, base: Any, generator: np.random.Generator) -> dict[str, Any]:
        """Return rows at the thresholds of trees, and texts of a vectorizer's words and of others."""
        model = _searched(model)
        return {
            "threshold": threshold_rows(model, base, generator),
            "words": vectorizers.text_rows(model, base, generator),
        }


def _searched(model: Any) -> Any:
    """Return the model that a search of parameters chose, which answers for it; another model as it is."""
    return getattr(model, "best_estimator_", model)


def _columns(model: Any) -> list[str]:
    """Return the columns that a pipeline's first step chooses by name, as often as it chooses them."""
    chosen: list[str] = []
    for _, _, columns in getattr([*_steps(model), model][0], "transformers_", ()):
        names = [columns] if isinstance(columns, str) else list(columns) if isinstance(columns, list) else []
        chosen += [name for name in names if isinstance(name, str)]
    return chosen


def _require_texts(words: Mapping[str, Any], kinds: Mapping[str, str]) -> None:
    for name in words:
        if kinds.get(name) != "text":
            raise NotTranslatable(f"the column '{name}' goes to a vectorizer, and the example has no texts there")


def _steps(model: Any) -> list[Any]:
    return [step for _, step in getattr(model, "steps", ())]


def _last(model: Any) -> Any:
    steps = _steps(model)
    return _last(steps[-1]) if steps else model


def _encodes_categories(model: Any) -> bool:
    """Whether the model, or a pipeline's first step, has categories by column of its own."""
    first = [*_steps(model), model][0]
    encodes = getattr(first, "is_categorical_", None) is not None or hasattr(first, "categories_")
    return encodes and hasattr(first, "feature_names_in_")


def _known_texts(model: Any) -> dict[str, list[str]]:
    """The categories of each column whose encoder raises on others: skl2onnx's encoders answer such rows."""
    known: dict[str, list[str]] = {}
    first = [*_steps(model), model][0]
    alone = [("", first, getattr(first, "feature_names_in_", ()))] if hasattr(first, "categories_") else []
    for step in [model, *_steps(model)]:
        for _, transformer, columns in [*getattr(step, "transformers_", ()), *alone]:
            for number, one in enumerate(_steps(transformer) or [transformer]):
                if getattr(one, "handle_unknown", "") != "error" or not hasattr(one, "categories_"):
                    continue
                imputed = [imputation.MISSING_TEXT] if number else []
                for column, categories in zip(columns, one.categories_, strict=False):
                    if isinstance(column, str) and categories.dtype.kind in "OU":
                        known[column] = [*encoding.texts_of(categories), *imputed]
    return known


def _options(last: Any) -> dict[int, dict[str, bool]]:
    """Options of skl2onnx, whose classifiers answer a map by class unless they have one; own graphs take none."""
    if not classifies(last):
        return {}
    own = type(last) in linear.converters() or not type(last).__module__.startswith("sklearn.")
    return {id(last): {} if own else {"zipmap": False}}


def _outputs(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """Declare the outputs of an estimator that skl2onnx does not know; a function of ``custom_parsers`` of skl2onnx."""
    from skl2onnx.common.data_types import DoubleTensorType, Int64TensorType

    del custom_parsers
    operator = scope.declare_local_operator(None, model)
    operator.inputs = inputs
    kinds = {"label": Int64TensorType, "probabilities": DoubleTensorType}
    if not classifies(model):
        kinds = {"variable": DoubleTensorType}
    for name, kind in kinds.items():
        operator.outputs.append(scope.declare_local_variable(name, kind()))
    return operator.outputs

"""scikit-learn's estimators and pipelines, by skl2onnx; decision trees and forests by an exact graph of our own."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from .converters import Graph, GraphInput, NotTranslatable

_OUTPUTS = {"predict_proba": 1, "predict": 0, "transform": 0}
_REASON = 200  # characters of a library's own message


class SklearnConverter:
    """The Converter of scikit-learn."""

    def takes(self, model: Any) -> bool:
        """Whether the model is an estimator of scikit-learn, or a pipeline."""
        base = getattr(sys.modules.get("sklearn.base"), "BaseEstimator", None)
        return base is not None and isinstance(model, base) and type(model).__module__.startswith("sklearn.")

    def by_column(self, model: Any) -> bool:
        """Whether a step chooses columns by name."""
        kind = getattr(sys.modules.get("sklearn.compose"), "ColumnTransformer", ())
        return any(isinstance(step, kind) for step in [model, *_steps(model)])

    def convert(self, model: Any, method: str, inputs: GraphInput) -> Graph:
        """Make the graph of one method's answers, in 64-bit numbers."""
        if method not in _OUTPUTS:
            raise NotTranslatable(f"the method '{method}' cannot be translated; {', '.join(_OUTPUTS)} can")
        if importlib.util.find_spec("skl2onnx") is None:
            raise NotTranslatable("skl2onnx is not installed: pip install 'nbdeploy[onnx]'")
        import skl2onnx
        from skl2onnx.common.data_types import DoubleTensorType, StringTensorType

        from . import imputation, trees

        kinds = {"number": DoubleTensorType, "text": StringTensorType}
        if inputs.kinds is None:
            types = [("X", DoubleTensorType([None, inputs.width]))]
        else:
            types = [(name, kinds[kind]([None, 1])) for name, kind in inputs.kinds.items()]
        try:
            converted = skl2onnx.convert_sklearn(
                model,
                name="model",  # the default is another one each time
                initial_types=types,
                options={id(last): {"zipmap": False} for last in [_last(model)] if hasattr(last, "classes_")},
                custom_conversion_functions=dict.fromkeys(trees.exact_kinds(), trees.convert) | imputation.converters(),
                custom_shape_calculators=dict.fromkeys(trees.exact_kinds(), trees.shapes),
                target_opset={"": 17, "ai.onnx.ml": 3},
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
        return Graph(converted.SerializeToString(), outputs[number], f"skl2onnx {skl2onnx.__version__}")


def _steps(model: Any) -> list[Any]:
    return [step for _, step in getattr(model, "steps", ())]


def _last(model: Any) -> Any:
    steps = _steps(model)
    return _last(steps[-1]) if steps else model

"""ONNX: a session, a model in memory, a file."""

import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests.contract.models import Built, model

_folder = tempfile.TemporaryDirectory()
ROWS = np.random.default_rng(7).random((40, 3))
FRAME = pd.DataFrame({"age": ROWS[:, 0], "home town": np.where(ROWS[:, 1] > 0.5, "Bern", "Zug")})


def converted(estimator, name="model"):
    return convert_sklearn(estimator, name, [("X", FloatTensorType([None, 3]))])


def classifier():
    return converted(LogisticRegression().fit(ROWS, np.where(ROWS.sum(axis=1) > 1.5, "high", "low")))


@model("ONNX", "InferenceSession of a classifier: label and probabilities")
def session():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    content = classifier().SerializeToString()
    return Built(onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"]), ROWS[:4])


@model("ONNX", "ModelProto, one of its outputs alone")
def label():
    return Built(classifier(), ROWS[:4].astype(np.float32), "output_label")


@model("ONNX", "file of a regression, on a frame")
def regression():
    path = Path(_folder.name) / "regression.onnx"
    path.write_bytes(converted(LinearRegression().fit(ROWS, ROWS @ [1.0, 2.0, 3.0])).SerializeToString())
    return Built(path, pd.DataFrame(ROWS[:4], columns=["a", "b", "c"]))


def by_columns():
    columns = make_column_transformer((OneHotEncoder(), ["home town"]), (StandardScaler(), ["age"]))
    pipeline = make_pipeline(columns, LogisticRegression()).fit(FRAME, ROWS[:, 2] > 0.5)
    inputs = [("age", FloatTensorType([None, 1])), ("home town", StringTensorType([None, 1]))]
    return convert_sklearn(pipeline, "people", inputs)


@model("ONNX", "pipeline whose inputs are columns, on a frame")
def columns():
    return Built(by_columns(), FRAME[:4])


@model("ONNX", "pipeline whose inputs are columns, on arrays by name")
def arrays():
    return Built(by_columns(), {"age": ROWS[:2, :1].astype(np.float32), "home_town": np.array([["Zug"], ["Bern"]])})

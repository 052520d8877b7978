"""Answers the rows of a table: python client.py model.onnx OUTPUT rows.tsv [needs onnxruntime]."""

import sys
from pathlib import Path

import numpy as np
import onnxruntime

model, output, table = sys.argv[1:4]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
rows = [line.split("\t") for line in Path(table).read_bytes().decode().split("\n")[1:-1]]
feeds: dict[str, np.ndarray] = {}
first = 0
for node in session.get_inputs():  # each takes its columns from the left
    columns = slice(first, first + node.shape[1])
    kind = object if node.type == "tensor(string)" else np.float64
    feeds[node.name] = np.array([row[columns] for row in rows], kind)
    first = columns.stop
(answers,) = session.run([output], feeds)
for answer in answers.reshape(len(rows), -1).tolist():
    print(*answer, sep="\t")

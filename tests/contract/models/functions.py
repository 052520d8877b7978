"""Plain functions of users' values."""

import dataclasses
import datetime as dt
from decimal import Decimal
from typing import Annotated

import numpy as np
import pandas as pd
import polars as pl
from PIL import Image
from pydantic import BaseModel, Field

from . import Built, model

PYTHON = "functions"


class Loan(BaseModel):
    amount: Annotated[float, Field(gt=0)]
    since: dt.date | None = None


@dataclasses.dataclass
class Order:
    day: dt.date
    price: Decimal
    count: int = 1


@model(PYTHON, "numbers and texts")
def scalars():
    def bmi(weight: float, height: float = 1.7, name: str = "nobody"):
        return {"name": name, "bmi": weight / height**2}

    return Built(bmi, {"weight": 70.5, "height": 1.8, "name": "Ada"})


@model(PYTHON, "lists and dicts")
def nested():
    return Built(lambda basket: sum(line["price"] * line["count"] for line in basket), [{"price": 1.5, "count": 2}])


@model(PYTHON, "numpy array")
def array():
    return Built(lambda rows: rows.sum(axis=1), np.arange(6.0).reshape(2, 3))


@model(PYTHON, "pandas DataFrame")
def frame():
    table = pd.DataFrame({"n": pd.array([1, None], dtype="Int64"), "at": pd.to_datetime(["2026-01-01", "2026-03-01"])})
    return Built(lambda rows: (rows["n"].fillna(0) + rows["at"].dt.month).tolist(), table)


@model(PYTHON, "polars DataFrame")
def polars():
    return Built(lambda rows: rows["a"] * 2, pl.DataFrame({"a": [1, 2], "day": [dt.date(2026, 1, 1), None]}))


@model(PYTHON, "polars LazyFrame")
def lazy():
    return Built(lambda rows: rows.select(pl.col("a") * 2), pl.LazyFrame({"a": [1, 2]}))


@model(PYTHON, "bytes")
def raw():
    return Built(lambda data: sum(data), b"\x00\x07\xff")  # noqa: PLW0108 - a builtin cannot be called by name


@model(PYTHON, "PIL image")
def image():
    return Built(lambda picture: picture.resize((1, 1)).getpixel((0, 0)), Image.new("RGB", (4, 4), (10, 20, 30)))


@model(PYTHON, "pydantic model")
def pydantic():
    def limit(loan: Loan):
        return loan.amount / 2 if loan.since is None else loan.amount

    return Built(limit, Loan(amount=100, since=dt.date(2026, 1, 1)))


@model(PYTHON, "dataclass, dates and decimals")
def dataclass():
    return Built(
        lambda order: f"{order.day:%d.%m.%Y} {order.price * order.count}", Order(dt.date(2026, 1, 2), Decimal("1.50"))
    )

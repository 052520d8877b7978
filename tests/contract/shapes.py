"""Functions over every kind of value in a request, with an example and the received value of each."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from collections import namedtuple
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple, Optional, TypedDict
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
from PIL import Image
from pydantic import BaseModel, Field


class Colour(enum.Enum):
    RED = "red"
    BLUE = 7


@dataclasses.dataclass
class Visit:
    day: dt.date
    cost: Decimal
    notes: list = dataclasses.field(default_factory=list)


class Address(BaseModel):
    town: str = Field(min_length=2)
    since: dt.date | None = None


class Person(BaseModel):
    age: Annotated[int, Field(ge=0, le=120)]
    at: Address
    kind: Literal["adult", "child"] = "adult"


class Tree(BaseModel):
    value: float
    children: list[Tree] = []


class Place(NamedTuple):
    x: float
    y: float


class Options(TypedDict):
    depth: int
    name: str


Pair = namedtuple("Pair", "left right")  # noqa: PYI024 - as notebooks have it


def told(value):  # noqa: PLR0911
    """What it was given, exactly: kind and value of every part."""
    if isinstance(value, pl.LazyFrame):
        return ["lazy", told(value.collect())]
    if isinstance(value, pl.DataFrame):
        return [str(value.schema), told(value.to_dicts())]
    if isinstance(value, pl.Series | pd.Series):
        return [type(value).__name__, str(value.dtype), told(value.to_list())]
    if isinstance(value, pd.DataFrame):
        return [{str(name): told(value[name]) for name in value.columns}]
    if isinstance(value, np.ndarray):
        return [str(value.dtype), repr(value.tolist())]
    if isinstance(value, Image.Image):
        return [value.mode, list(value.size), value.tobytes().hex()]
    if isinstance(value, dict):
        return [[repr(key), told(inner)] for key, inner in value.items()]
    if isinstance(value, list | tuple):
        return [type(value).__name__, [told(inner) for inner in value]]
    if isinstance(value, set | frozenset):
        return [type(value).__name__, sorted(map(repr, value))]
    return [type(value).__name__, repr(value)]


def any_value(value):
    return told(value)


def visit(v: Visit):
    return told(v)


def person(p: Person):
    return [p.age, p.at.town, p.kind, type(p).__name__]


def people(ps: list[Person]):
    return [p.age for p in ps]


def depth(t: Tree):
    return 1 + max(map(depth, t.children), default=0)


def rated(grade: Literal["a", "b"], weight: Annotated[float, Field(gt=0)], day: Optional[dt.date] = None):  # noqa: UP045
    return [grade, weight, told(day)]


def configured(options: Options):
    return told(options)


def rows(frame):
    """One answer a row, for a table."""
    dicts = frame.collect().to_dicts() if isinstance(frame, pl.LazyFrame) else None
    if dicts is None:
        dicts = frame.to_dicts() if isinstance(frame, pl.DataFrame) else frame.to_dict("records")
    return [told(row) for row in dicts]


def inverted(image):
    return Image.eval(image, lambda level: 255 - level)


IMAGE = Image.frombytes("RGB", (3, 2), bytes(range(18)))
ZONE = dt.timezone(dt.timedelta(hours=2))

VALUES = {
    "bytes": b"\x00\xff",
    "date": dt.date(2026, 1, 2),
    "moment": dt.datetime(2026, 1, 2, 3, 4, 5, 678901),  # noqa: DTZ001
    "moment with zone": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=ZONE),
    "time": dt.time(12, 30, 1),
    "duration": dt.timedelta(days=3, seconds=1, microseconds=5),
    "decimal": Decimal("12.340"),
    "uuid": UUID(int=7),
    "enumeration": Colour.BLUE,
    "tuple": (1, "a"),
    "set": {3, 1, 2},
    "named tuple": Pair(dt.date(2026, 1, 2), 2),
    "typed named tuple": Place(1.5, 2),
    "dict with numbers as keys": {1: "a", 2: dt.date(2026, 1, 2)},
    "nested": {"days": [dt.date(2026, 1, 2), None], "size": {"w": np.float32(1.5)}, "tags": ("x", "y")},
    "dataclass": Visit(dt.date(2026, 1, 2), Decimal("1.50"), ["a"]),
    "pydantic": Person(age=3, at=Address(town="Bern", since=dt.date(2020, 1, 1))),
    "list of arrays": [np.array([1, 2], dtype="int8"), np.array([3], dtype="int8")],
    "numpy bytes": np.array([b"ab", b"c"]),
    "numpy dates": np.array(["2026-01-01", "2026-01-02"], dtype="datetime64[D]"),
    "timestamp": pd.Timestamp("2026-01-02T03:04:05.123456789", tz="Europe/Zurich"),
    "period": pd.Period("2026-01", "M"),
    "pandas Series": pd.Series([1, None], dtype="Int64", name="n"),
    "table and a number": {"table": pd.DataFrame({"a": [1, 2], "day": [dt.date(2026, 1, 1), None]}), "n": 3},
    "polars Series": pl.Series("n", [1, None], dtype=pl.Int16),
    "images": [IMAGE, IMAGE.rotate(180)],
    "grey image": IMAGE.convert("L"),
    "float image": IMAGE.convert("F"),
}

PANDAS = pd.DataFrame(
    {
        "n": pd.array([1, None], dtype="Int64"),
        "flag": pd.array([True, None], dtype="boolean"),
        "text": pd.array(["a", None], dtype="string"),
        "arrow": pd.array([3, None], dtype="int16[pyarrow]"),
        "arrow text": pd.array(["a", None], dtype="string[pyarrow]"),
        "arrow moment": pd.array([pd.Timestamp("2026-01-01T10:00:00"), None], dtype="timestamp[us][pyarrow]"),
        "arrow zone": pd.array(
            [pd.Timestamp("2026-01-01T10:00", tz="UTC"), None], dtype="timestamp[ns, tz=UTC][pyarrow]"
        ),
        "arrow day": pd.array([dt.date(2026, 1, 1), None], dtype="date32[pyarrow]"),
        "arrow wait": pd.array([pd.Timedelta("90s"), None], dtype="duration[ms][pyarrow]"),
        "month": pd.array(["2026-01", None], dtype="period[M]"),
        "day": pd.Series([dt.date(2026, 1, 1), None], dtype=object),
        "price": pd.Series([Decimal("1.50"), Decimal("2.25")], dtype=object),
        "raw": pd.Series([b"\x00", b"\xff"], dtype=object),
        "tags": pd.Series([["a", "b"], []], dtype=object),
        "size": pd.Series([{"w": 1, "on": dt.date(2026, 1, 1)}, {"w": 2, "on": None}], dtype=object),
        "mixed": pd.Series([1, "a"], dtype=object),
        "wait": pd.to_timedelta([90, None], unit="s"),
        "zone": pd.to_datetime(["2026-07-01T12:00:00+02:00", None], utc=True).tz_convert("Europe/Zurich"),
    }
)

POLARS = pl.DataFrame(
    {
        "n": pl.Series([1, None], dtype=pl.Int8),
        "f": pl.Series([1.5, 2.5], dtype=pl.Float32),
        "text": ["a", None],
        "cat": pl.Series(["x", "y"], dtype=pl.Categorical),
        "enum": pl.Series(["x", None], dtype=pl.Enum(["x", "y"])),
        "day": [dt.date(2026, 1, 1), None],
        "at": pl.Series([dt.datetime(2026, 1, 1, 10), None], dtype=pl.Datetime("ns")),  # noqa: DTZ001
        "zone": pl.Series([dt.datetime(2026, 7, 1, 10, tzinfo=dt.UTC), None], dtype=pl.Datetime("us", "Europe/Zurich")),
        "time": [dt.time(10, 30), None],
        "wait": [dt.timedelta(seconds=90), None],
        "price": pl.Series([Decimal("1.50"), None], dtype=pl.Decimal(10, 2)),
        "raw": [b"\x00\xff", None],
        "tags": [["a", None], None],
        "days": [[dt.date(2026, 1, 1)], []],
        "size": [{"w": 1, "on": dt.date(2026, 1, 1)}, {"w": None, "on": None}],
        "flag": [True, None],
    }
)

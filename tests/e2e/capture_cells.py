"""Projects whose models are defined in the notebook's cells alone."""

from tests.e2e.capture_cases import Case, Project

TABLE = """
import numpy as np, pandas as pd, torch
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
rng = np.random.default_rng(0)
X = pd.DataFrame({"age": rng.integers(20, 80, 60), "weight": rng.normal(70, 10, 60).round(1)})
y = X["age"] * 2.0 + X["weight"]
pipeline = make_pipeline(StandardScaler(), LinearRegression()).fit(X, y)
FLOOR = 50.0
"""

TABLES = Project(
    "tables",
    TABLE,
    (
        Case(
            "plain-function",
            "def price(frame):\n    return np.maximum(pipeline.predict(frame), FLOOR)",
            "price",
            "X[:3]",
            "price(X[:3]).tolist()",
        ),
        Case(
            "helper-and-constant",
            """
SCALE = {"age": 2, "weight": 0.5}
def scaled(row):
    return sum(row[name] * factor for name, factor in SCALE.items())
def score(frame):
    return frame.apply(scaled, axis=1)
""",
            "score",
            "X[:3]",
            "score(X[:3]).tolist()",
        ),
        Case(
            "torch-module",
            """
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(2, 1)
    def forward(self, x):
        return torch.relu(self.inner(x)) + FLOOR
torch.manual_seed(0)
net = Net().eval()
T = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
""",
            "net",
            "T",
            "net(T).tolist()",
        ),
        Case(
            "proposed-example",
            """
from sklearn.impute import SimpleImputer
X_train, X_test = X.mask(X["age"] > 70), X[40:]
forgiving = make_pipeline(SimpleImputer(), LinearRegression())
forgiving.fit(X_train, y)
""",
            "forgiving",
            None,
            "forgiving.predict(pd.DataFrame(_manifest.instances)).tolist()",
        ),
        Case(
            "lambda-transformer",
            "logged = make_pipeline(FunctionTransformer(lambda f: np.log1p(f)), LinearRegression()).fit(X, y)",
            "logged",
            "X[:3]",
            "logged.predict(X[:3]).tolist()",
        ),
        Case(
            "lambda-in-columns",
            """
columns = ColumnTransformer([("age", FunctionTransformer(lambda f: f / FLOOR), ["age"])], remainder="passthrough")
mixed = make_pipeline(columns, LinearRegression()).fit(X, y)
""",
            "mixed",
            "X[:3]",
            "mixed.predict(X[:3]).tolist()",
        ),
        Case(
            "own-transformer",
            """
from sklearn.base import BaseEstimator, TransformerMixin
class Clip(BaseEstimator, TransformerMixin):
    def __init__(self, top=60):
        self.top = top
    def fit(self, X, y=None):
        self.columns_ = list(X.columns)
        return self
    def transform(self, X):
        return X[self.columns_].clip(upper=self.top)
clipped = make_pipeline(Clip(), LogisticRegression()).fit(X, y > 170)
""",
            "clipped",
            "X[:3]",
            "clipped.predict(X[:3]).tolist()",
        ),
        Case(
            "method-of-a-class",
            """
class Pricing:
    def __init__(self, model, floor):
        self.model, self.floor = model, floor
    def quote(self, frame):
        return [max(self.floor, value) for value in self.model.predict(frame)]
pricing = Pricing(pipeline, FLOOR)
""",
            "pricing.quote",
            "X[:3]",
            "pricing.quote(X[:3])",
        ),
        Case(
            "async-over-a-table",
            """
import asyncio
async def later(frame):
    await asyncio.sleep(0)
    return pipeline.predict(frame)
""",
            "later",
            "X[:3]",
            "(await later(X[:3])).tolist()",
        ),
    ),
    imported=("pandas", "sklearn.linear_model", "sklearn.pipeline"),
)

VALUES = Project(
    "values",
    "import functools, math\nRATE = 1.5",
    (
        Case("lambda", "double = lambda x: x * 2 * RATE", "double", "2.0", "[double(2.0)]"),
        Case(
            "closure",
            "def times(factor):\n    def apply(x):\n        return x * factor\n    return apply\ntriple = times(3)",
            "triple",
            "2.5",
            "[triple(2.5)]",
        ),
        Case(
            "decorated",
            """
def rounded(digits):
    def decorate(f):
        @functools.wraps(f)
        def wrapper(*args, **kwargs):
            return round(f(*args, **kwargs), digits)
        return wrapper
    return decorate
@rounded(2)
def third(x: float):
    return x / 3
""",
            "third",
            "2.0",
            "[third(2.0)]",
        ),
        Case(
            "nested-function",
            """
def area(radius):
    def squared(x):
        return x * x * RATE
    return math.pi * squared(radius)
""",
            "area",
            "2.0",
            "[area(2.0)]",
        ),
        Case(
            "partial",
            "def power(x, exponent, offset=0):\n    return x ** exponent + offset\n"
            "square = functools.partial(power, exponent=2)",
            "square",
            "dict(x=3.0)",
            "[square(x=3.0)]",
        ),
        Case(
            "lru-cache",
            """
@functools.lru_cache(maxsize=100)
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
fibonacci(30)
""",
            "fibonacci",
            "20",
            "[fibonacci(20)]",
        ),
        Case(
            "cached-within",
            """
class Table:
    def __init__(self, rows):
        self.rows = rows
    @functools.cached_property
    def total(self):
        return sum(self.rows)
    @functools.lru_cache
    def share(self, x):
        return x / self.total
table = Table([1, 2, 5])
table.total
@functools.singledispatch
def shown(x):
    return str(x)
@shown.register
def _(x: float):
    return f"{x:.2f}"
def part_of_all(x):
    return shown(table.share(x))
""",
            "part_of_all",
            "2.0",
            "[part_of_all(2.0)]",
        ),
        Case(
            "dataclass",
            """
from dataclasses import dataclass, field
@dataclass(order=True)
class Offer:
    price: float
    tags: list = field(default_factory=list)
def cheapest(prices):
    return min(Offer(p, ["cheap"]) for p in prices)
""",
            "cheapest",
            "[3.0, 1.5, 2.0]",
            "[{'price': 1.5, 'tags': ['cheap']}]",
        ),
        Case(
            "enum",
            """
import enum
class Risk(enum.Enum):
    LOW = "low"
    HIGH = "high"
    @property
    def rank(self):
        return [Risk.LOW, Risk.HIGH].index(self)
def risk(age):
    found = Risk.HIGH if age > 60 else Risk("low")
    return {"risk": found.value, "rank": found.rank}
""",
            "risk",
            "70",
            "[risk(70)]",
        ),
        Case(
            "named-tuple",
            """
from typing import NamedTuple
class Box(NamedTuple):
    width: float
    height: float = 2.0
    def area(self):
        return self.width * self.height
unit = Box(1.0)
def boxed(width):
    return Box(width).area() + unit.height
""",
            "boxed",
            "4.0",
            "[boxed(4.0)]",
        ),
        Case(
            "pydantic",
            """
from pydantic import BaseModel, field_validator
class Person(BaseModel):
    age: int
    name: str = "nobody"
    @field_validator("name")
    @classmethod
    def plain(cls, value):
        return value.strip().title()
def greeting(age, name):
    person = Person(age=age, name=name)
    return {"text": f"{person.name} is {person.age}", **person.model_dump()}
""",
            "greeting",
            "dict(age=36, name=' ada ')",
            "[greeting(36, ' ada ')]",
        ),
        Case(
            "async",
            """
import asyncio
async def half(x):
    await asyncio.sleep(0)
    return x / 2
async def halves(x):
    return list(await asyncio.gather(half(x), half(x + 1)))
""",
            "halves",
            "3.0",
            "[await halves(3.0)]",
        ),
        Case(
            "generator-inside",
            "def odd(limit):\n    for n in range(limit):\n        if n % 2:\n            yield n\n"
            "def sum_of_odd(limit):\n    return sum(odd(limit))",
            "sum_of_odd",
            "10",
            "[sum_of_odd(10)]",
        ),
        Case(
            "generator",
            "def countdown(n):\n    while n:\n        yield {'left': n}\n        n -= 1",
            "countdown",
            "3",
            "[list(countdown(3))]",
        ),
    ),
)

"""Notebooks as people write them: each case is a cell that makes a model, and what the notebook answers with it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """One model of a notebook.

    ``model`` and ``example`` are the expressions of ``%deploy``; ``ask`` is what the notebook answers to the example:
    a list with one JSON value for each instance.
    """

    name: str
    cell: str
    model: str
    example: str
    ask: str


@dataclass(frozen=True)
class Project:
    """A folder with a notebook that deploys its cases, one after the other, in one kernel.

    ``files`` are written beside the notebook; ``editable`` is a folder of them that is installed in an environment of
    its own, which the kernel then runs in.
    """

    name: str
    first_cell: str
    cases: tuple[Case, ...]
    files: dict[str, str] = field(default_factory=dict)
    editable: str | None = None


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

MODULES = Project(
    "modules",
    """
import sys, os, pathlib, importlib
%load_ext autoreload
sys.path.insert(0, os.path.abspath("src"))
from automatic import rise
""",
    (
        Case(
            "local-module",
            "import house_rules\ndef dear(x):\n    return house_rules.taxed(x) > 10",
            "dear",
            "9.5",
            "[dear(9.5)]",
        ),
        Case("alias", "import house_rules as hr\ndef net(x):\n    return hr.taxed(x) * 2", "net", "9.5", "[net(9.5)]"),
        Case(
            "local-package",
            "from shop import pricing\nfrom shop.models import Basket\nbasket = Basket([2.0, 3.0])",
            "basket",
            "1.0",
            "[basket.predict(1.0)]",
        ),
        Case(
            "lazy-import",
            "def words(n):\n    from shop.lazy import names\n    return names()[n]",
            "words",
            "1",
            "[words(1)]",
        ),
        Case("src-layout", "from layout.core import shifted", "shifted", "1.0", "[shifted(1.0)]"),
        Case("namespace", "import company.team.tool as tool", "tool.tripled", "2", "[tool.tripled(2)]"),
        Case(
            "reloaded",
            """
import edited
path = pathlib.Path("edited.py")
path.write_text(path.read_text().replace("+ 1", "+ 10"))
importlib.reload(edited)
""",
            "edited.lift",
            "1.0",
            "[11.0]",
        ),
        Case(
            "autoreload",
            """
path = pathlib.Path("automatic.py")
path.write_text(path.read_text().replace("* 2", "* 200"))
%autoreload now
""",
            "rise",
            "1.0",
            "[200.0]",
        ),
        Case(
            "edited-and-not-reloaded",
            """
import stale
path = pathlib.Path("stale.py")
path.write_text(path.read_text().replace("- 1", "- 100"))
""",
            "stale.lower",
            "1.0",
            "[0.0]",
        ),
        Case("changed-global", "import limits\nlimits.TOP = 7.0", "limits.capped", "9.0", "[7.0]"),
        Case("module-called-service", "import service", "service.served", "2", "[service.served(2)]"),
    ),
    files={
        "house_rules.py": "VAT = 1.19\n\ndef taxed(x: float):\n    return x * VAT\n",
        "shop/__init__.py": "from .pricing import discounted\n",
        "shop/pricing.py": """
import json
from importlib import resources
from functools import lru_cache

@lru_cache
def table():
    return json.loads(resources.files(__package__).joinpath("data/prices.json").read_text())

def discounted(x):
    return x * table()["factor"]
""",
        "shop/models.py": """
from . import pricing

class Basket:
    def __init__(self, prices):
        self.prices = prices
    def predict(self, extra: float):
        from .lazy import names
        return [{"sum": pricing.discounted(sum(self.prices) + extra), "by": names()[0]}]
""",
        "shop/lazy.py": "from .deep.leaf import NAMES\n\ndef names():\n    return NAMES\n",
        "shop/deep/__init__.py": "",
        "shop/deep/leaf.py": "from ..pricing import discounted\nNAMES = ['ada', 'bob', str(discounted(2))]\n",
        "shop/data/prices.json": '{"factor": 0.5}',
        "src/layout/__init__.py": "",
        "src/layout/core.py": "from layout import helper\n\ndef shifted(x: float):\n    return helper.shift(x)\n",
        "src/layout/helper.py": "def shift(x):\n    return x + 0.25\n",
        "company/team/tool.py": "from company.team import base\n\ndef tripled(x):\n    return base.FACTOR * x\n",
        "company/team/base.py": "FACTOR = 3\n",
        "edited.py": "def lift(x: float):\n    return x + 1\n",
        "automatic.py": "def rise(x: float):\n    return x * 2\n",
        "stale.py": "def lower(x: float):\n    return x - 1\n",
        "limits.py": "TOP = 5.0\n\ndef capped(x: float):\n    return min(x, TOP)\n",
        "service.py": "RATE = 4\n\ndef served(x):\n    return x * RATE\n",
    },
)

EDITABLE = Project(
    "editable",
    "from toolbox.steps import Doubler",
    (
        Case(
            "editable-install",
            "doubler = Doubler(2)",
            "doubler",
            "3.0",
            "[doubler.predict(3.0)]",
        ),
    ),
    files={
        "toolbox-project/pyproject.toml": """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "toolbox-of-the-team"
version = "1.2"
[tool.setuptools]
packages = ["toolbox"]
package-dir = {"" = "lib"}
""",
        "toolbox-project/lib/toolbox/__init__.py": "",
        "toolbox-project/lib/toolbox/steps.py": """
from toolbox.helper import times

class Doubler:
    def __init__(self, factor):
        self.factor = factor
    def predict(self, x: float):
        return [times(x, self.factor)]
""",
        "toolbox-project/lib/toolbox/helper.py": "def times(x, factor):\n    return x * factor\n",
    },
    editable="toolbox-project",
)

FILES = Project(
    "files",
    "import pathlib\npathlib.Path('rates.txt').write_text('2.5')",
    (
        Case(
            "relative-open",
            "def rated(x):\n    with open('rates.txt') as file:\n        return x * float(file.read())",
            "rated",
            "2.0",
            "[rated(2.0)]",
        ),
    ),
)

PROJECTS = (TABLES, MODULES, VALUES, EDITABLE, FILES)

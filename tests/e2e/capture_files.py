"""Projects whose models need files next to the notebook: modules, packages, an editable distribution, data."""

from tests.e2e.capture_cases import Case, Project

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

"""The functions of nbdeploy that a notebook's source calls, and the metrics that it records. Pure; nothing runs."""

from __future__ import annotations

import re

_VARIABLES = {"model": "NBDEPLOY_MODEL", "reference": "NBDEPLOY_REFERENCE", "recorded": "NBDEPLOY_RECORDED"}
_ALIAS = re.compile(r"^[ \t]*import[ \t]+jupyter_deploy(?:[ \t]+as[ \t]+(\w+))?", re.MULTILINE)

_METRIC = re.compile(r"""\bmetric\s*\(\s*(?:name\s*=\s*)?(?:(["'])(\w+)\1|(?=(\S)))""")


def recorded_metrics(source: str) -> set[str] | None:
    """Return the names in the calls of ``metric``, in any language; None: a name is computed."""
    calls = list(_METRIC.finditer(source))
    if any(call[2] is None for call in calls):
        return None
    return {call[2] for call in calls}


def mentions(source: str, metric: str) -> bool:
    """Whether a cell has the metric's name as a text, as every language writes it to record the metric."""
    return re.search(rf"""["']{re.escape(metric)}["']""", source) is not None


def calls_function(function: str, source: str) -> bool:
    """Whether a notebook's source uses nbdeploy's ``function`` (``model``, ``reference`` or ``recorded``).

    The source imports the function, calls it by the package's name, or, in any language, reads the variable with the
    address. A torch model with the name ``model`` does not count.
    """
    if _VARIABLES[function] in source or (function == "model" and re.search(r"\bmodel_predict\s*\(", source)):
        return True
    imported = rf"\bfrom\s+jupyter_deploy\s+import\s+(?:\([^)]*?\b{function}\b|[^\n(]*?(?:\b{function}\b|\*))"
    called = "|".join(re.escape(alias or "jupyter_deploy") for alias in _ALIAS.findall(source))
    return bool(re.search(imported, source) or (called and re.search(rf"\b(?:{called})\.{function}\s*\(", source)))

"""The functions of nbdeploy that a notebook's source calls. Pure; nothing runs."""

from __future__ import annotations

import re

_VARIABLES = {"model": "NBDEPLOY_MODEL", "reference": "NBDEPLOY_REFERENCE", "recorded": "NBDEPLOY_RECORDED"}
_ALIAS = re.compile(r"^[ \t]*import[ \t]+jupyter_deploy(?:[ \t]+as[ \t]+(\w+))?", re.MULTILINE)


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

"""What a notebook's words say that it will ask for. Pure; nothing is run."""

from __future__ import annotations

import re

_VARIABLES = {"model": "NBDEPLOY_MODEL", "reference": "NBDEPLOY_REFERENCE", "recorded": "NBDEPLOY_RECORDED"}
_ALIAS = re.compile(r"^[ \t]*import[ \t]+jupyter_deploy(?:[ \t]+as[ \t]+(\w+))?", re.MULTILINE)


def asks_for(what: str, source: str) -> bool:
    """Whether a notebook's source names ``what`` (``model``, ``reference`` or ``recorded``) as one of nbdeploy's.

    It imports the function, calls it by the package's name, or, in any language, reads the variable with the address.
    A torch model that is called ``model`` is none of ours.
    """
    if _VARIABLES[what] in source or (what == "model" and re.search(r"\bmodel_predict\s*\(", source)):
        return True
    imported = rf"\bfrom\s+jupyter_deploy\s+import\s+(?:\([^)]*?\b{what}\b|[^\n(]*?(?:\b{what}\b|\*))"
    called = "|".join(re.escape(alias or "jupyter_deploy") for alias in _ALIAS.findall(source))
    return bool(re.search(imported, source) or (called and re.search(rf"\b(?:{called})\.{what}\s*\(", source)))

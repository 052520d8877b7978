"""A check for PyPI's ``jupyter-deploy``, which owns the same import name: each overwrites the other.

The check is in a module that the other distribution does not have, and our entry points lead to it, so that it runs
with either ``__init__.py``.
"""

from __future__ import annotations

from jupyter_deploy.domain.errors import WrongDistribution
from jupyter_deploy.system.entry_points import is_installed

OTHER = "jupyter-deploy"


def check_distributions() -> None:
    """Raise WrongDistribution if the other distribution is installed in this environment too."""
    if not is_installed(OTHER.replace("-", "_")):
        return
    from importlib import metadata

    try:
        version = metadata.version(OTHER)
    except metadata.PackageNotFoundError:  # another distribution with this prefix
        return
    raise WrongDistribution(
        f"the distribution {OTHER} {version} is installed too, and both own the import name jupyter_deploy",
        "keep one of them in this environment: pip uninstall -y jupyter-deploy nbdeploy && pip install nbdeploy",
    )

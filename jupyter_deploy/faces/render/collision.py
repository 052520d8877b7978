"""PyPI's ``jupyter-deploy`` owns the same import name: when both are installed, one has overwritten the other.

The check is in a module that the other distribution does not have, where our entry points lead, so that it runs
whichever ``__init__.py`` won.
"""

from __future__ import annotations

from importlib import metadata

from jupyter_deploy.domain.errors import WrongDistribution

OTHER = "jupyter-deploy"


def check_distributions() -> None:
    """Raise WrongDistribution when the other distribution is installed in this environment too."""
    try:
        version = metadata.version(OTHER)
    except metadata.PackageNotFoundError:
        return
    raise WrongDistribution(
        f"the distribution {OTHER} {version} is installed beside nbdeploy, and both own the import name jupyter_deploy",
        "keep one of them in this environment: pip uninstall -y jupyter-deploy nbdeploy && pip install nbdeploy",
    )

"""What JupyterLab has a kernel of R load, so that it answers the Deploy dialog."""

from __future__ import annotations

import sys

from jupyter_deploy import __version__
from jupyter_deploy.capture.r import LAB_SCRIPTS
from jupyter_deploy.domain.ports import Ports

from .form_documents import RKernelView
from .requests import RKernelRequest


def r_kernel(_: RKernelRequest, ports: Ports) -> RKernelView:
    """Return the scripts, and the interpreter that captures for the kernel."""
    return RKernelView(
        version=__version__,
        interpreter=sys.executable,
        home=str(ports.home),
        scripts=tuple(str(script) for script in LAB_SCRIPTS),
    )

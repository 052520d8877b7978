"""What the checks look at."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_deploy.adapters.fitting import NotFound, Training
from jupyter_deploy.adapters.frameworks import Framework
from jupyter_deploy.adapters.inspection import Inspected
from jupyter_deploy.domain.ports import Live


@dataclass(frozen=True)
class Subject:
    """The live object with its notebook, and what is known of it by now.

    ``training`` is the table that it was fitted on, or why that is not known; None: it was not fitted, it seems.
    """

    live: Live
    seen: Inspected
    framework: Framework
    training: Training | NotFound | None = None

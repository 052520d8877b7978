"""Which of the user's environment variables a model's process may see: the same in the replay and when serving."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Enough to find programs and libraries, write temporary files, speak the user's language and use the processor as
# the notebook did. Tokens, keys and whatever else a kernel's environment holds stay out; PYTHONPATH too,
# since a model that needs the project's folder must fail at the replay and not in production.
_PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LC_.*|TZ|TMPDIR|LD_LIBRARY_PATH|DYLD_.*|SSL_CERT_(FILE|DIR)|"
    r"OMP_.*|OPENBLAS_.*|MKL_.*|NUMEXPR_.*|CUDA_.*|NVIDIA_.*"
)


def passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of ``environment`` that a model's process is given."""
    return {name: value for name, value in environment.items() if _PASSED_ON.fullmatch(name)}

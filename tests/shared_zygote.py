"""The zygote of all homes of one process of tests: ``python -P tests/shared_zygote.py STATE``; ends with its parent."""

import ctypes
import signal
import sys
import tempfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_HERE = Path(__file__).parent
_ZYGOTE = _HERE.parent / "jupyter_deploy" / "targets" / "local" / "releases" / "zygote.py"
_PR_SET_PDEATHSIG = 1


def main(state):
    """Be the zygote, but forget before each fork's start which homes the zygote knows."""
    zygote, fork_server = by_path(_ZYGOTE), by_path(_HERE / "fork_server.py")
    become = zygote._run

    def _run(plan):
        tempfile.tempdir = None
        fork_server.forget_bentoml_home()
        return become(plan)

    zygote._run = _run
    return zygote.main(state)


def by_path(path):
    spec = spec_from_file_location(path.stem, path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    sys.exit(main(Path(sys.argv[1])))

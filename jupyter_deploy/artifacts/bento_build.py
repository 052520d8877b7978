"""The program that builds one bento: ``python -P …/artifacts/bento_build.py``; a spare, see ``serving.spare``.

Its job is the arguments of ``bentoml.bentos.build``. It first builds a rehearsal service in a store of its own: two
thirds of a first build are imports and settings, which a second build finds ready. BentoML imports the service, so
one process builds one bento.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import sys
from pathlib import Path

_REHEARSAL = """
import bentoml
@bentoml.service(name="rehearsal")
class Rehearsal:
    @bentoml.api
    def predict(self, instances: list) -> dict:
        return {}
"""


def main() -> None:
    """Rehearse, wait for the job, build."""
    import bentoml
    from bentoml._internal.bento import BentoStore

    folder = Path(os.environ["TMPDIR"], "rehearsal")
    (folder / "bentos").mkdir(parents=True)
    (folder / "rehearsal.py").write_text(_REHEARSAL)
    with contextlib.suppress(Exception):
        sys.path.insert(0, str(folder))
        bentoml.bentos.build(
            service="rehearsal:Rehearsal",
            name="rehearsal",
            version="1",
            build_ctx=str(folder),
            include=["*.py"],
            python={"packages": ["bentoml"], "lock_packages": False},
            _bento_store=BentoStore(folder / "bentos"),
        )
    sys.path.remove(str(folder))
    # By path: the bento has a package ``serving`` of its own.
    job = runpy.run_path(str(Path(__file__).parents[1] / "serving" / "spare.py"))["read_job"]()
    if job is not None:
        sys.path.insert(0, job["build_ctx"])
        bentoml.bentos.build(**job)


if __name__ == "__main__":
    main()

"""The results of capture and replay for every model in ``tests/contract/models``, and the page about them."""

import io
import json
import os
import pickle
import re
import subprocess
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import joblib
from threadpoolctl import threadpool_limits

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.release.processes import passed_on
from jupyter_deploy.system.clean_process import copy_serving
from tests.contract.capturing import live
from tests.contract.models import kinds

PAGE = Path(__file__).parents[2] / "docs" / "supported-models.md"

# One clean process for all of them: what a replay costs is importing the libraries.
_REPLAYS = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from serving.replay import replay
from serving.snapshot import current
found = {}
for name, folder in json.loads(sys.stdin.read()).items():
    result = replay(Path(folder))
    kind = type(current().native)
    found[name] = {key: result[key] for key in ("stage", "error", "differences", "stochastic", "effects")}
    found[name]["kind"] = f"{kind.__module__}.{kind.__qualname__}"
json.dump(found, sys.stdout)
"""


@dataclass
class Found:
    """One model: its stored form, and the answers of a clean process."""

    library: str
    kind: str
    manifest: object = None
    fingerprint: str = ""
    folder: Path | None = None
    error: str = ""
    replay: dict = field(default_factory=dict)
    ratio: float | None = None

    @property
    def replayed(self) -> str:
        if self.error:
            return self.error
        wrong = self.replay["error"] or self.replay["differences"] or self.replay["effects"]
        if wrong:
            return f"no: {wrong}"
        return "alike (stochastic)" if self.replay["stochastic"] else "equal"

    @property
    def formats(self) -> str:
        # How many boosters there are is no matter of formats.
        files = {re.sub(r"-\d+\.", ".", name): format_ for name, format_ in sorted(self.manifest.formats.items())}
        return ", ".join(f"{name} ({format_})" for name, format_ in files.items())


def staged(home: Path) -> dict[str, Found]:
    """Every model, built and written; nothing is replayed yet. On one thread, so that sums are done in one order."""
    capturer = ModelCapturer(home, Tolerance(), replay_timeout=120)
    found = {}
    for kind in kinds():
        one = found[kind.id] = Found(kind.library, kind.kind)
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")
            built = kind.build()
            try:
                done = capturer.stage(live(built.model, built.example, built.method), "model")
            except DeployError as error:
                one.error = f"{type(error).__name__}: {error}"
                continue
            one.manifest, one.fingerprint, one.folder = done.manifest, done.fingerprint, done.folder
            size = sum((done.folder / name).stat().st_size for name in done.manifest.formats)
            usual = _joblib_size(built.model)
            one.ratio = None if usual is None else size / usual
    return found


def replayed(found: dict[str, Found], scratch: Path) -> dict[str, Found]:
    """With what a clean process, as by ``run_replay``, answers to each example."""
    copy_serving(scratch / "code")
    (scratch / "elsewhere").mkdir()
    (scratch / "tmp").mkdir()
    ended = subprocess.run(
        [sys.executable, "-P", "-c", _REPLAYS, scratch / "code"],
        input=json.dumps({name: str(one.folder) for name, one in found.items() if not one.error}),
        cwd=scratch / "elsewhere",
        env=passed_on(os.environ) | {"PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(scratch / "tmp")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    for name, result in json.loads(ended.stdout.splitlines()[-1]).items():
        found[name].replay = result
    return found


def _joblib_size(model: object) -> int | None:
    try:
        joblib.dump(model, file := io.BytesIO())
    except (pickle.PicklingError, AttributeError, TypeError):
        return None
    return len(file.getvalue())


HEAD = """# Supported models

Made by `python -m scripts.supported_models` from the contract tests, which build every model below, capture it, and
have a clean process answer its example; they fail when this page is stale.

* **replay**: `equal` means that the clean process gave the notebook's own answers, from an object of the same class.
* **stored as**: the files that the model is made of, with their formats. What has no format of its own is pickled
  (`cloudpickle`); so is everything around a booster, such as the pipeline that it stands in.
* **size**: of these files, relative to `joblib.dump` of the same object. The models here are tiny, so most of it is
  names and settings. `—`: `joblib.dump` cannot write it.

Whatever is callable or has a `predict` can be deployed, whether it is listed or not: these are the ones tested.
A library whose models have a file format of their own can be [added](architecture/01-capture.md#to-add-a-framework).

| library | model | captured | replay | stored as | size |
|---|---|---|---|---|---|
"""

FOOT = """
What else is worth knowing:

* A **Booster** of XGBoost is asked with a data frame or an array; it gets the `DMatrix` that it needs, with categorical
  columns as such. Give the rows as the example, not the `DMatrix`, `Dataset` or `Pool`.
* **statsmodels** keeps the training data in its results, and so does the snapshot. `results.remove_data()` takes it
  out, but for the table of a model by formula, from which statsmodels makes the formula's terms again. Functions of
  the notebook that a formula uses go in.
* What a fit notes of itself by the clock is not stored: a search's `*_time` columns and `refit_time_`, skorch's `dur`,
  CatBoost's random name and time. The same fit in a fresh kernel is the same snapshot. (Where a fit itself differs in
  its last bits from kernel to kernel, as least squares by LAPACK and sums on several threads may, it is another model.)
"""


def page(found: dict[str, Found]) -> str:
    """The whole page."""
    cells = [
        (one.library, one.kind, "no" if one.error else "yes", one.replayed, one.formats, _ratio(one))
        for one in found.values()
    ]
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in cells) + FOOT


def stale(found: dict[str, Found], text: str) -> list[str]:
    """Lines that the page lacks or has too many. Sizes may differ by a quarter, as they do between machines."""
    wanted, present = page(found).splitlines(), text.splitlines()
    differing = [line for line in wanted if not any(_alike(line, other) for other in present)]
    return differing + [line for line in present if not any(_alike(line, other) for other in wanted)]


def _ratio(one: Found) -> str:
    return "—" if one.ratio is None else f"{one.ratio:.1f} ×"


def _alike(left: str, right: str) -> bool:
    sizes = [re.search(r"\| ([\d.]+) × \|$", line) for line in (left, right)]
    if None in sizes:
        return left == right
    first, second = (float(size[1]) for size in sizes)
    same = left[: sizes[0].start()] == right[: sizes[1].start()]
    return same and abs(first - second) <= 0.1 + 0.25 * max(first, second)

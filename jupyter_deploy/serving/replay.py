"""The replay: a snapshot answers its example in this process, and the answers are compared with the notebook's.

Run as ``python -P -c "from serving.replay import main; main(FOLDER, RESULT)"`` in a clean process: another folder, no
project on the path. The result is a JSON document. A snapshot that fails is a result, not a crash.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from . import project_code
from .agreement import differences, structure_differences, tolerance_of, tolerance_of_expected
from .audit.callers import LIBRARIES
from .audit.effects import Effects
from .audit.reads import Read, Reads, machine_paths
from .audit.redirect import redirected_paths
from .imports import importable
from .role import in_role
from .snapshot import Model, load
from .workplace import current_workplace

REPEATS = 30
ASKED_ALONE = 3
_PERTURBED_ROWS = 3
_QUOTED = 200  # letters of an error


def main(folder: str, result_file: str) -> None:
    """Replay the snapshot in ``folder`` and write the result to ``result_file`` as JSON."""
    result = replay(Path(folder))
    Path(result_file).write_text(json.dumps(result), encoding="utf-8")


def answer_instances(folder: str, digest: str, instances: str, result_file: str) -> None:
    """Answer the instances in a JSON file; write the answers or the error to ``result_file`` as JSON."""
    result: dict[str, Any] = {"stage": "load", "differences": [], "answers": [], "error": None}
    try:
        model = load(folder, digest)
        result["stage"] = "call"
        with in_role("shadow"):
            result["answers"] = model.answer(json.loads(Path(instances).read_text("utf-8")))
    except Exception as error:  # noqa: BLE001 - the model may raise anything; the error is the result
        result["error"] = describe(error)
    Path(result_file).write_text(json.dumps(result), encoding="utf-8")


def replay(folder: Path) -> dict[str, Any]:
    """Replay a snapshot's folder.

    Returns
    -------
    dict
        ``{"stage", "differences", "stochastic", "modules", "globals", "error", "effects", "reads", "variables"}`` and
        ``imported``, ``over_json``, ``batchable``, ``dependence``.

        ``stage`` is the last stage reached: ``load``, ``call``, ``agree`` or ``done``. ``error`` holds type, message,
        traceback and, if known, the missing thing. ``effects`` lists the model's side effects during its calls,
        ``reads`` the files that it opened (``_reads_in_words``), ``variables`` the environment variables that it looked
        up and that are not set, ``globals`` the project's module globals before and after the calls, by module and
        name.

        ``imported`` names the modules that another process can preload (``imports``). ``over_json`` is true if the
        example fails only in the JSON form of a request. ``batchable`` is true if rows get the same answers together as
        alone; ``dependence`` says how a row of the example is answered otherwise alone, or in another order: empty if
        it is not.

    Notes
    -----
    The model runs in the role ``shadow``: an effect that the model skips in a shadow is not reported.
    """
    result: dict[str, Any] = {"stage": "load", "differences": [], "stochastic": False, "modules": [], "error": None}
    result |= {"globals": {}, "over_json": False, "batchable": False, "dependence": ""}
    effects, reads = Effects(), Reads(redirected_paths)
    initial = Path.cwd()
    variables: set[str] = set()
    with missing_variables(variables), reads.watching():
        try:
            model = load(folder)
            _record_globals(folder, result)
            result["stage"] = "call"
            with in_role("shadow"), effects.watching():
                check_example(model, result)
        except Exception as error:  # noqa: BLE001 - the model may raise anything; the error is the result
            result["error"] = describe(error)
    result["effects"] = effects.sentences()
    result["reads"] = _reads_in_words(reads.observed.values(), folder, initial)
    result["variables"] = sorted(variables)
    result["imported"] = importable(LIBRARIES)
    _record_globals(folder, result)
    # The stub of jupyter_deploy belongs to the bento and the project's code to the snapshot; neither is a distribution.
    modules = {name.partition(".")[0] for name in list(sys.modules)}
    result["modules"] = sorted(modules - {"jupyter_deploy"} - set(project_code.loaded(folder / project_code.FOLDER)))
    return result


def _record_globals(folder: Path, result: dict[str, Any]) -> None:
    root = folder / project_code.FOLDER
    for module, loaded in project_code.loaded(root).items():
        seen = result["globals"].setdefault(module, {})
        for places in ((), (root, Path.cwd())):
            for name, what in project_code.globals_of(loaded, places).items():
                seen.setdefault(name, []).append(what)


def check_example(model: Model, result: dict[str, Any]) -> None:
    """Answer the snapshot's example and set the keys of the result from ``differences`` to ``dependence``."""
    manifest = model.manifest
    expected = manifest["predictions"]
    rtol, atol = tolerance_of(manifest)
    first, second = model.replay_example(), model.replay_example()
    result["stochastic"] = bool(differences(first, second, rtol=rtol, atol=atol))
    result["over_json"] = True  # a failure from here on depends on the JSON form
    over_json = model.answer(manifest["instances"])
    by_key = _answers_by_key(model, result)
    result["stage"] = "agree"
    rtol, atol = tolerance_of_expected(manifest)
    if result["stochastic"]:
        repeats = [first, second, *(model.replay_example() for _ in range(REPEATS - 2))]
        result["differences"] = structure_differences(expected, over_json) or distribution_differences(
            expected, repeats
        )
    else:
        natively = differences(expected, first, rtol=rtol, atol=atol)
        result["over_json"] = not natively
        result["differences"] = natively or [
            f"over JSON: {line}" for line in differences(expected, over_json, rtol=rtol, atol=atol)
        ]
    if not result["differences"] and by_key:
        compare = structure_differences if result["stochastic"] else partial(differences, rtol=rtol, atol=atol)
        lines = compare(expected[: len(by_key)], by_key)
        result["differences"] = [f"by key: {line}" for line in lines]
    if not result["differences"]:
        result["stage"] = "done"
        if not result["stochastic"]:
            _find_dependence(model, over_json, result)


def _answers_by_key(model: Model, result: dict[str, Any]) -> list[Any]:
    """Return the answers to the example's rows with keys in place of features; empty: the example has no keys.

    The queries are run in any case.
    """
    lookups = model.manifest.get("lookups", ())
    if not lookups:
        return []
    result["stage"] = "look up"
    model.decoder.check()  # type: ignore[attr-defined]  # a LookupDecoder
    if not all(lookup["keys"] for lookup in lookups):
        return []
    rows = []
    for number, instance in enumerate(model.manifest["instances"][: len(lookups[0]["keys"])]):
        left_out = {feature for lookup in lookups for feature in lookup["features"]}
        row = {name: value for name, value in instance.items() if name not in left_out}
        rows.append(row | {lookup["key"]: lookup["keys"][number] for lookup in lookups})
    return model.answer(rows)


def _find_dependence(model: Model, together: list[Any], result: dict[str, Any]) -> None:
    """Set ``batchable``: whether rows get the same answers alone, and in reverse order, as ``together``.

    Equal rows cannot show a difference, so their numbers are changed a little. If they have none, and for a call, which
    has no rows, the model counts as not batchable. Rows that were changed say nothing of the example: ``dependence`` is
    of its own rows.
    """
    instances = model.manifest["instances"]
    if model.codec.container == "call":
        return
    own = any(one != instances[0] for one in instances[1:])
    try:
        if not own:
            instances = [_perturbed(instances[0], number) for number in range(_PERTURBED_ROWS)]
            if instances[0] == instances[1]:
                return
            together = model.answer(instances)
        found = _dependence(model, instances, together)
    except Exception as error:  # noqa: BLE001 - the model accepts one number of rows only
        lines = str(error).splitlines() or [""]
        found = f"rows of the example fail alone: {type(error).__name__}: {lines[0][:_QUOTED]}"
    result["batchable"] = not found
    result["dependence"] = found if own else ""


def _dependence(model: Model, instances: list[Any], together: list[Any]) -> str:
    rtol, atol = tolerance_of(model.manifest)
    alone = [model.answer([one])[0] for one in instances[:ASKED_ALONE]]
    if lines := differences(together[:ASKED_ALONE], alone, rtol=rtol, atol=atol):
        return f"rows of the example get other answers alone than together: {lines[0]}"
    turned = model.answer(instances[::-1])[::-1]
    lines = differences(together, turned, rtol=rtol, atol=atol)
    return f"rows of the example get other answers in another order: {lines[0]}" if lines else ""


def _perturbed(value: Any, number: int) -> Any:
    """Return a row with each number raised by ``number`` percent, whole numbers by ``number``; the rest is the same."""
    match value:
        case bool():
            return value
        case int():
            return value + number
        case float():
            return value + (abs(value) or 1.0) * number / 100
        case list():
            return [_perturbed(one, number) for one in value]
        case dict():
            return {name: _perturbed(one, number) for name, one in value.items()}
    return value


def _reads_in_words(reads: Iterable[Read], snapshot: Path, initial: Path) -> list[dict[str, Any]]:
    """Return the reads of the model's own files: ``{"path", "kind", "where"}``.

    A path below the working directory, and one that was relative, is relative to the initial working directory. A
    missing file next to the project's code has the kind ``beside`` and a path relative to the code folder.
    """
    code = f"{snapshot / project_code.FOLDER}{os.sep}"
    place, folder = current_workplace() or (initial, initial)
    own = [f"{path}{os.sep}" for path in (snapshot, Path(__file__).parent, tempfile.gettempdir())]
    nobodys = (*own, *machine_paths())
    result = []
    for read in reads:
        path, kind = read.path, str(read.kind)
        if read.library and kind == "folder":
            continue
        if path.startswith(code) and kind == "missing":
            path, kind = path.removeprefix(code), "adjacent"
        elif not read.given.startswith(os.sep) or path == str(place) or path.startswith(f"{place}{os.sep}"):
            path = os.path.relpath(path, folder)
        elif kind == "missing" or read.library or path.startswith(nobodys):
            continue
        result.append({"path": path, "kind": kind, "where": read.where})
    return result


@contextlib.contextmanager
def missing_variables(names: set[str]) -> Iterator[None]:
    """Within this context, add the names of environment variables that are looked up and not set."""
    kind = type(os.environ)
    original = kind.__getitem__

    def noted(self: Any, name: Any) -> Any:
        try:
            return original(self, name)
        except KeyError:
            names.add(str(name))
            raise

    kind.__getitem__ = noted  # type: ignore[method-assign]
    try:
        yield
    finally:
        kind.__getitem__ = original  # type: ignore[method-assign]


def distribution_differences(expected: list[Any], repeats: list[list[Any]]) -> list[str]:
    """List the notebook's answers that lie outside the answers of repeated calls.

    A number differs if it lies beyond the repeats' range by more than the width of that range; another draw of the same
    distribution does so only for the heaviest tails. Labels differ if no repeat has the notebook's most frequent one.
    """
    result = []
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in expected):
        for row, value in enumerate(expected):
            seen = [answers[row] for answers in repeats if answers[row] is not None]
            low, high = min(seen), max(seen)
            if not low - (high - low) <= value <= high + (high - low):
                result.append(
                    f"row {row}: the notebook's {value!r} is far from {low!r} to {high!r}, seen in {len(seen)}"
                )
    elif expected and all(isinstance(value, str) for value in expected):
        labels = {value for answers in repeats for value in answers}
        usual = max(set(expected), key=expected.count)
        if usual not in labels:
            result.append(f"the notebook's usual answer {usual!r} did not occur in {len(repeats)} repeats")
    return result


def describe(error: Exception) -> dict[str, Any]:
    """Describe an exception, with the missing thing if there is one: the first thing a reader can act on."""
    missing = None
    text = str(error)
    if isinstance(error, ModuleNotFoundError):
        missing = {"kind": "module", "name": error.name}
    elif isinstance(error, KeyError) and _asks_environment(error):
        missing = {"kind": "variable", "name": str(error.args[0])}
    elif isinstance(error, NameError):
        missing = {"kind": "global", "name": getattr(error, "name", None) or text}
    elif isinstance(error, FileNotFoundError):
        missing = {"kind": "file", "name": str(error.filename)}
    elif isinstance(error, AttributeError | ImportError):
        match = re.search(r"(?:get attribute|import name) '([^']+)'", text)
        if match:
            missing = {"kind": "global", "name": match[1]}
    lines = traceback.format_exception(error)
    return {"type": type(error).__name__, "message": text, "missing": missing, "traceback": "".join(lines)}


def _asks_environment(error: KeyError) -> bool:
    codes = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    return codes[-1].co_name == "__getitem__" and codes[-1].co_filename in (os.__file__, "<frozen os>")

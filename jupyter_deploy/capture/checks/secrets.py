"""The checks for secrets: tokens, keys and passwords in a model are refused by name, without their value."""

from __future__ import annotations

import inspect
import mmap
import re
import textwrap
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import cloudpickle

from jupyter_deploy.capture.pickling import parts
from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.capture.lookups import LOOKUPS
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.environments.module_origins import local_module
from jupyter_deploy.masking.detection import (
    SHORTEST,
    Hit,
    any_format_in,
    formats_in,
    secret_under,
    secrets_in,
    settings_in,
)
from jupyter_deploy.masking.masking import masked, secrets_in_code
from jupyter_deploy.serving.project_code import FOLDER
from jupyter_deploy.serving.workplace import location_of

from .candidate import Candidate, ProvedCandidate

_OBJECTS = 50_000  # scanned at most: a tenth of a second
_LETTERS = 1_000_000  # scanned at most, of texts
_FILE = 1_000_000  # bytes of a scanned file

_SETTINGS = {".env", ".ini", ".cfg", ".conf", ".toml", ".yaml", ".yml", ".properties", ""}
_WITH_PARTS = (dict, list, tuple, set, frozenset, property, classmethod, staticmethod, MethodType)
_CODE = " → its code"
_PICKLES = {"model.pkl", "example.pkl", LOOKUPS}

_OF_CODE = (
    "read it from the environment at prediction time, os.environ['{name}'], name its place, such as "
    "--secret {name}=env:{name}, and replace the key"
)
_OF_EXAMPLE = "remove it from the example, which every client of the endpoint can see"
_OF_CELL = "read it from the environment (for the model: --secret), and replace the key, since the notebook holds it"
_OF_FILE = "remove it from the file; read it from the environment at prediction time, and name its place: --secret"


def secrets(candidate: Candidate) -> Iterator[Finding]:
    """Check ``secrets``: the captured model, its example, and the notebook's cells."""
    live = candidate.live
    yield from secrets_in_model(live, candidate.folder)
    for where, values in (("the example", candidate.seen.instances), ("the answers", candidate.seen.predictions)):
        yield from _in_rows(where, values)
    for number, source in enumerate(live.cells, 1):
        kinds = masked(source)[1]
        if kinds:
            yield Finding(
                check="secrets",
                severity="warning",
                message=f"the cell holds {' and '.join(kinds)}; the snapshot's copy of the cell holds *** instead",
                remedy=_OF_CELL,
                cell=number,
            )


def secrets_in_files(proved: ProvedCandidate) -> Iterator[Finding]:
    """Check ``secrets``: packed code and data files."""
    for name in proved.manifest.files:
        if name not in _PICKLES:
            yield from _in_file(proved.folder / name, name)


def secrets_in_model(live: Live, folder: Path) -> Iterator[Finding]:
    """Check ``secrets``: the files written from the live object."""
    name = live.source.variable or "the model"
    hits: list[tuple[str, Hit]] = []
    texts: list[tuple[str, str]] = []
    complete = _walk(live.model, name, hits, texts)
    # One quick test of all texts, since most models hold no secret.
    if any_format_in(text for _, text in texts):
        hits = [(path, hit) for path, text in texts for hit in formats_in(text)] + hits
    reported = set()
    for path, hit in hits:
        # An object may leave a part out of its state (__getstate__).
        if path not in reported and _is_in(hit.value, folder):
            reported.add(path)
            variable = "THE_KEY" if path.endswith(_CODE) else re.findall(r"\w+", path)[-1]
            yield Finding(
                check="secrets",
                severity="warning" if hit.is_doubtful else "error",
                message=f"{masked(path)[0]} holds {hit.kind}, which would be stored with the model",
                remedy=_OF_CODE.format(name=variable.upper()),
                cell=_cell_with(hit.value, live.cells),
            )
    if not complete:
        yield Finding(
            check="secrets",
            severity="note",
            message=f"only the first {_OBJECTS:,} objects of the model were scanned",
        )


def _walk(model: Any, name: str, hits: list[tuple[str, Hit]], texts: list[tuple[str, str]]) -> bool:
    """Collect hits by name in ``found`` and texts in ``texts``, nearest first; return whether the walk was complete."""
    queue: deque[tuple[str, Any]] = deque([(name, model)])
    seen: dict[int, Any] = {}  # keeps the objects, or a new object could get a freed id
    letters, complete = 0, True
    while queue:
        path, value = queue.popleft()
        if id(value) in seen or _is_elsewhere(value):
            continue
        seen[id(value)] = value
        if isinstance(value, FunctionType):
            hits += [(path + _CODE, hit) for hit in _in_code(value)]
        for step, child in parts(value):
            if len(seen) + len(queue) > _OBJECTS:
                complete = False
                break
            text = _text_of(child)
            if text is not None:
                hits += [(path + step, hit) for hit in _under(step, text)]
                if len(text) >= SHORTEST and letters < _LETTERS:
                    texts.append((path + step, text))
                    letters += len(text)
            elif not isinstance(child, int | float | complex | None):
                queue.append((path + step, child))
    return complete


def _text_of(value: Any) -> str | None:
    """Return a string, or short bytes such as a key for hashing, as text; else None."""
    if isinstance(value, bytes) and len(value) <= 4096:
        return value.decode("latin-1")
    return value if isinstance(value, str) else None


def _under(step: str, value: str) -> list[Hit]:
    names = re.findall(r"[A-Za-z_]\w*", step)
    return secret_under(names[-1], value, of_mapping=step.startswith("[")) if names and len(value) <= 4096 else []


def _is_elsewhere(value: Any) -> bool:
    """Whether it is pickled as a name alone: a module, or an object that an installed one defines."""
    if isinstance(value, ModuleType):
        return True
    if isinstance(value, FunctionType | type):
        return _by_reference(value)
    plain = type(value).__module__ in ("numpy", "builtins")  # arrays, scalars, files, iterators
    return plain and not isinstance(value, _WITH_PARTS)


def _by_reference(value: Any) -> bool:
    """Whether it belongs to neither the notebook nor the project, whose objects may be pickled by value."""
    named = cloudpickle.cloudpickle._should_pickle_by_reference(value)  # noqa: SLF001 - cloudpickle's own decision
    return bool(named) and local_module(value.__module__) is None


def _in_code(function: FunctionType) -> list[Hit]:
    """Return the secrets in a function's source that are also among its constants; comments are not captured."""
    constants = list(_constants(function.__code__))
    hits = [hit for text in constants for hit in formats_in(text)]
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        source = ""
    return hits + [
        hit for hit in secrets_in_code(source) if any(hit.value in text for text in constants) and hit not in hits
    ]


def _constants(code: CodeType) -> Iterator[str]:
    queue: list[Any] = [code]
    while queue:
        value = queue.pop()
        if isinstance(value, CodeType):
            queue += value.co_consts
        elif isinstance(value, tuple | frozenset):
            queue += value
        elif isinstance(value, bytes):
            yield value.decode("latin-1")
        elif isinstance(value, str):
            yield value


def _in_rows(where: str, rows: list[Any]) -> Iterator[Finding]:
    leaves = list(_leaves(rows))
    if not any_format_in(text for _, text in leaves):
        return
    for path, text in leaves:
        for hit in formats_in(text):
            yield Finding(
                check="secrets",
                severity="error",
                message=f"{where}{masked(path)[0]} holds {hit.kind}",
                remedy=_OF_EXAMPLE,
            )


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        if len(value) >= SHORTEST:
            yield path, value
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(child, f"{path}[{key!r}]")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            if not isinstance(child, int | float):
                yield from _leaves(child, f"{path}[{index}]")


def _in_file(path: Path, name: str) -> Iterator[Finding]:
    with path.open("rb") as file:
        content = file.read(_FILE)
    try:
        text = content.decode("utf-8", "strict" if len(content) < _FILE else "ignore")
    except UnicodeDecodeError:
        return
    if "\0" in text:
        return
    if path.suffix == ".py":
        hits = secrets_in_code(text)
    else:
        hits = settings_in(text) if path.suffix in _SETTINGS else secrets_in(text)
    for hit in hits:
        line = text[: max(0, text.find(hit.value))].count("\n") + 1
        yield Finding(
            check="secrets",
            severity="warning" if hit.is_doubtful else "error",
            message=f"the file {name}, which is packed with the model, holds {hit.kind} in line {line}",
            remedy=_OF_FILE,
        )


def _is_in(value: str, folder: Path) -> bool:
    """Whether a file of the model holds the value; packed files belong to ``secrets_in_files``."""
    encodings = {value.encode("utf-8", "surrogatepass"), value.encode("latin-1", "replace")}
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_size and not _goes_in_as_it_is(path.relative_to(folder).as_posix()):
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                if any(content.find(text) >= 0 for text in encodings):
                    return True
    return False


def _goes_in_as_it_is(name: str) -> bool:
    return name.startswith(f"{FOLDER}/") or location_of(name) is not None


def _cell_with(value: str, cells: Iterable[str]) -> int | None:
    numbers = [number for number, source in enumerate(cells, 1) if value in source]
    return numbers[-1] if numbers else None

"""What makes an installed environment the same wherever it was installed, and compiles it.

The daemonless builder asks it about each file. In a container engine's build it is a program, ``tidy.py``, that the
base image's Python runs: so it needs the standard library alone.

::

    tidy.py with SETTINGS PROGRAM … a program gets the variables of a JSON file, if there is one
    tidy.py venv FOLDER             what uv installed below FOLDER becomes a virtual environment of this Python
    tidy.py code INSIDE FOLDER…     the sources at INSIDE of each FOLDER are compiled
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path, PurePosixPath

VENV = "opt/nbdeploy/venv"

# The tests of a library. What else lies beside them may be imported: numpy.testing does.
_TEST = re.compile(r"(?:.*/)?tests/(?:.*/)?test_[^/]*\.py")

# What installers note for themselves: of this machine, or of when it was done.
_NOTES = frozenset({"INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"})

# A script's first line; uv writes the second form where a path is too long for the first.
_SHEBANG = re.compile(rb"\A#!(?:[^\n]*python[^\n]*\n|/bin/sh\n'''exec' [^\n]*\n' '''\n)")

# Templates and files of other Pythons are no sources: they are left as they are, as pip leaves them.
_COMPILE = """
import json, py_compile, sys
for source, target, shown in json.load(sys.stdin):
    try:
        py_compile.compile(source, target, shown, doraise=True,
                           invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    except (py_compile.PyCompileError, ValueError, RecursionError):
        pass
"""


def left_out(name: str) -> bool:
    """Whether an installed file is of no use in an image: installers' notes, bytecode of here, a library's tests."""
    place = PurePosixPath(name)
    noted = place.parent.suffix == ".dist-info" and place.name in _NOTES
    return noted or place.parent.name == "__pycache__" or _TEST.fullmatch(name) is not None


def is_record(name: str, minor: str) -> bool:
    """Whether a file is the list of an installed distribution's files."""
    place = PurePosixPath(name)
    site = f"{VENV}/lib/python{minor}/site-packages/"
    return place.name == "RECORD" and place.parent.suffix == ".dist-info" and name.startswith(site)


def record(text: str) -> bytes:
    """A distribution's list of files: sorted, without what was left out and the hashes of what was rewritten."""
    kept = []
    for row in csv.reader(text.splitlines()):
        place = PurePosixPath(row[0])
        if place.name in _NOTES or place.suffix == ".pyc" or _TEST.fullmatch(row[0]):
            continue
        kept.append([row[0], "", ""] if place.parent.name == "bin" and ".." in place.parts else row)
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(sorted(kept))
    return written.getvalue().encode()


def script(file: Path) -> bytes | None:
    """What a script is to be, so that the image's Python runs it; None: it is a program, and stays."""
    with file.open("rb") as opened:
        if opened.read(2) != b"#!":
            return None
    return _SHEBANG.sub(f"#!/{VENV}/bin/python\n".encode(), file.read_bytes(), count=1)


def frame(python: str, minor: str) -> Iterator[tuple[str, bytes | str]]:
    """What makes the folder a virtual environment of an interpreter: names with content or, of a link, its target."""
    home = PurePosixPath(python).parent
    yield f"{VENV}/pyvenv.cfg", f"home = {home}\ninclude-system-site-packages = false\n".encode()
    yield f"{VENV}/bin/python", python
    yield f"{VENV}/bin/python3", "python"
    yield f"{VENV}/bin/python{minor}", "python"


@dataclass(frozen=True)
class Source:
    """A source and its bytecode: the latter's name in the image, both files, and what tracebacks call the former."""

    inside: str
    file: Path
    target: Path
    shown: str


def to_compile(files: Iterable[tuple[str, Path]], minor: str, folder: Path) -> list[Source]:
    """The sources among these names and files but libraries' tests; their bytecode comes below a folder."""
    found = []
    for name, file in files:
        place = PurePosixPath(name)
        if place.suffix == ".py" and "tests" not in place.parts:
            inside = place.parent / "__pycache__" / f"{place.stem}.cpython-{minor.replace('.', '')}.pyc"
            found.append(Source(str(inside), file, folder / inside, f"/{name}"))
    return sorted(found, key=lambda one: one.inside)


def compile_all(sources: Sequence[Source], interpreter: str, held: Sequence[int] = ()) -> None:
    """Write the bytecode, which the same sources, interpreter and order always give.

    What is below one folder of ``site-packages`` is one batch: a process compiles it in a fixed order, since what it
    marshals depends on what it did before. ``held``: descriptors that these processes inherit.
    """
    batches = [list(batch) for _, batch in groupby(sources, key=lambda one: _top(one.inside))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(partial(_compile, interpreter, held), sorted(batches, key=len, reverse=True)):
            pass


def _top(name: str) -> str:
    """The distribution's folder that a file is in; a path of one word: modules for themselves are a batch."""
    inside = name.partition("site-packages/")[2] or name
    return inside.split("/")[0]


def _compile(interpreter: str, held: Sequence[int], batch: Sequence[Source]) -> None:
    values = [[str(one.file), str(one.target), one.shown] for one in batch]
    for one in batch:
        one.target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [interpreter, "-P", "-s", "-S", "-W", "ignore", "-c", _COMPILE],
        input=json.dumps(values),
        text=True,
        env={"PYTHONHASHSEED": "0"},
        cwd="/",
        capture_output=True,
        check=True,
        pass_fds=held,
    )


def _tidy(venv: Path, interpreter: str, minor: str) -> None:
    """What uv installed, made into what the daemonless builder packs."""
    root = Path("/")
    for file in _below(venv):
        name = str(file.relative_to(root))
        if left_out(name):
            file.unlink()
        elif is_record(name, minor):
            file.write_bytes(record(file.read_text("utf-8")))
        elif file.parent == venv / "bin" and not file.is_symlink():
            content = script(file)
            if content is not None:
                file.write_bytes(content)
                file.chmod(0o755)
    for folder, _, _ in os.walk(venv, topdown=False):
        if not any(Path(folder).iterdir()):
            Path(folder).rmdir()
    for name, made in frame(interpreter, minor):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(made, bytes):
            (root / name).write_bytes(made)
        else:
            (root / name).symlink_to(made)
    files = ((str(file.relative_to(root)), file) for file in _below(venv) if not file.is_symlink())
    compile_all(to_compile(files, minor, root), interpreter)


def _below(folder: Path) -> list[Path]:
    return [Path(root) / name for root, _, names in os.walk(folder) for name in names]


def settle(folder: Path) -> None:
    """Give all below a folder, and itself, fixed modes and the beginning of 1970 as its time."""
    for root, folders, names in os.walk(folder, topdown=False):
        for path in [*(Path(root) / name for name in (*names, *folders)), Path(root)]:
            if not path.is_symlink():
                runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
                path.chmod(0o755 if runs else 0o644)
            os.utime(path, (0, 0), follow_symlinks=False)


def main(what: str, *arguments: str) -> None:
    """The program; see above."""
    if what == "with":
        settings, *command = arguments
        values = json.loads(Path(settings).read_text("utf-8")) if Path(settings).exists() else {}
        os.execve(command[0], command, os.environ | values)  # noqa: S606 - in a build, by what the Containerfile says
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    if what == "venv":
        folders = [Path(arguments[0])]
        _tidy(folders[0], sys.executable, minor)
    else:
        inside, *named = arguments
        folders = [Path(one) for one in named]
        for folder in folders:
            files = ((str(file.relative_to(folder)), file) for file in _below(folder / inside))
            compile_all(to_compile(files, minor, folder), sys.executable)
    for folder in folders:
        settle(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])

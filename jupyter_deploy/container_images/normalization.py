"""Make an installed environment independent of its machine, and compile it.

The daemonless builder calls these functions for each file. In a container engine's build this file is the program
``tidy.py``, which the base image's Python runs, so it needs only the standard library.

::

    tidy.py with SETTINGS PROGRAM … run a program with the variables of a JSON file, if it exists
    tidy.py venv FOLDER             make uv's installation below FOLDER a virtual environment of this Python
    tidy.py code INSIDE FOLDER…     compile the sources at INSIDE of each FOLDER
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

# The tests of a library. Other files of those folders may be imported: numpy.testing does.
_TEST = re.compile(r"(?:.*/)?tests/(?:.*/)?test_[^/]*\.py")

# Installers' notes about this machine or the time.
_NOTES = frozenset({"INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"})

# A script's first line; uv writes the second form where a path is too long for the first.
_SHEBANG = re.compile(rb"\A#!(?:[^\n]*python[^\n]*\n|/bin/sh\n'''exec' [^\n]*\n' '''\n)")

# Templates and files for other Pythons do not compile and are skipped, as by pip.
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
    """Whether an image omits an installed file: installers' notes, local bytecode, libraries' tests."""
    path = PurePosixPath(name)
    noted = path.parent.suffix == ".dist-info" and path.name in _NOTES
    return noted or path.parent.name == "__pycache__" or _TEST.fullmatch(name) is not None


def is_record(name: str, minor: str) -> bool:
    """Whether a file is the list of an installed distribution's files."""
    path = PurePosixPath(name)
    site = f"{VENV}/lib/python{minor}/site-packages/"
    return path.name == "RECORD" and path.parent.suffix == ".dist-info" and name.startswith(site)


def record(text: str) -> bytes:
    """A distribution's list of files: sorted, without omitted files and without the hashes of rewritten ones."""
    kept = []
    for row in csv.reader(text.splitlines()):
        path = PurePosixPath(row[0])
        if path.name in _NOTES or path.suffix == ".pyc" or _TEST.fullmatch(row[0]):
            continue
        kept.append([row[0], "", ""] if path.parent.name == "bin" and ".." in path.parts else row)
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(sorted(kept))
    return written.getvalue().encode()


def script(file: Path) -> bytes | None:
    """A script's content for the image's Python; None: it is a binary and stays."""
    with file.open("rb") as opened:
        if opened.read(2) != b"#!":
            return None
    return _SHEBANG.sub(f"#!/{VENV}/bin/python\n".encode(), file.read_bytes(), count=1)


def frame(python: str, minor: str) -> Iterator[tuple[str, bytes | str]]:
    """The files of a virtual environment of an interpreter: names with content, or a link's target."""
    home = PurePosixPath(python).parent
    yield f"{VENV}/pyvenv.cfg", f"home = {home}\ninclude-system-site-packages = false\n".encode()
    yield f"{VENV}/bin/python", python
    yield f"{VENV}/bin/python3", "python"
    yield f"{VENV}/bin/python{minor}", "python"


@dataclass(frozen=True)
class Source:
    """A source and its bytecode: the bytecode's name in the image, both files, and the source's path in tracebacks."""

    inside: str
    file: Path
    target: Path
    shown: str


def to_compile(files: Iterable[tuple[str, Path]], minor: str, folder: Path) -> list[Source]:
    """The sources among these files, without libraries' tests; their bytecode goes below a folder."""
    sources = []
    for name, file in files:
        path = PurePosixPath(name)
        if path.suffix == ".py" and "tests" not in path.parts:
            inside = path.parent / "__pycache__" / f"{path.stem}.cpython-{minor.replace('.', '')}.pyc"
            sources.append(Source(str(inside), file, folder / inside, f"/{name}"))
    return sorted(sources, key=lambda source: source.inside)


def compile_all(sources: Sequence[Source], interpreter: str, held: Sequence[int] = ()) -> None:
    """Write reproducible bytecode.

    One process compiles a folder of ``site-packages`` in a fixed order, since its marshalled bytes depend on the files
    before. ``held``: descriptors that these processes inherit.
    """
    batches = [list(batch) for _, batch in groupby(sources, key=lambda source: _top(source.inside))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(partial(_compile, interpreter, held), sorted(batches, key=len, reverse=True)):
            pass


def _top(name: str) -> str:
    """The top folder of a file in ``site-packages``; single modules are batches of their own."""
    inside = name.partition("site-packages/")[2] or name
    return inside.split("/")[0]


def _compile(interpreter: str, held: Sequence[int], batch: Sequence[Source]) -> None:
    values = [[str(source.file), str(source.target), source.shown] for source in batch]
    for source in batch:
        source.target.parent.mkdir(parents=True, exist_ok=True)
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
    """Turn uv's installation into the files that the daemonless builder packs."""
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
    """Give a folder and all files below it fixed modes, and the beginning of 1970 as their time."""
    for root, folders, names in os.walk(folder, topdown=False):
        for path in [*(Path(root) / name for name in (*names, *folders)), Path(root)]:
            if not path.is_symlink():
                runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
                path.chmod(0o755 if runs else 0o644)
            os.utime(path, (0, 0), follow_symlinks=False)


def main(command_name: str, *arguments: str) -> None:
    """The program ``tidy.py``; see above."""
    if command_name == "with":
        settings, *command = arguments
        values = json.loads(Path(settings).read_text("utf-8")) if Path(settings).exists() else {}
        os.execve(command[0], command, os.environ | values)
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    if command_name == "venv":
        folders = [Path(arguments[0])]
        _tidy(folders[0], sys.executable, minor)
    else:
        inside, *named = arguments
        folders = [Path(name) for name in named]
        for folder in folders:
            files = ((str(file.relative_to(folder)), file) for file in _below(folder / inside))
            compile_all(to_compile(files, minor, folder), sys.executable)
    for folder in folders:
        settle(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])

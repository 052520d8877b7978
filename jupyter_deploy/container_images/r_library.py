"""Packages of R from source: chosen from a mirror, and built in a stage of a container engine, which has no network.

The stage has the base, R, Debian's packages of the lock, and Debian's compilers; only the built packages leave it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from jupyter_deploy.domain.errors import BaseUnfit, ImageNotBuilt, ToolMissing
from jupyter_deploy.domain.images.images import Image
from jupyter_deploy.domain.images.ports import Progress

from . import container_engines
from .archive import Entry, entries_of, unpack, write_tree
from .base_image import Base
from .containerfile import SETTINGS
from .contents import LayerContents
from .cran_mirror import CranMirror, Source
from .layout import ImageFolder

# Programs that scripts of sources run and Debian's packages do not depend on, since each whole Debian has them.
TOOLS = ("diffutils", "findutils", "gawk", "gzip", "sed", "tar")
COMPILERS = ("gcc", "g++", "gfortran")
HEADERS = "r-base-dev"
PROGRAM = Path(__file__).with_name("build_r_packages.R")

_LIBRARY = "usr/local/lib/R/site-library"
_RECORD = "usr/local/share/nbdeploy/r-sources.json"
REMEDY = (
    "install the distribution's packages where the notebook runs, such as 'apt-get install r-cran-mass', and deploy it "
    "again"
)

# The packages of R itself.
_OWN = frozenset(
    {"base", "compiler", "datasets", "graphics", "grDevices", "grid", "methods"}
    | {"parallel", "splines", "stats", "stats4", "tcltk", "tools", "utils"}
)

_COMPILER = re.compile(r"usr/bin/(gcc|g\+\+|gfortran)-(\d+)")

# R's line of a package.
_INSTALLING = re.compile(r"\* installing \*source\* package .(\S+). \.\.\.")

_CONTAINERFILE = """\
FROM {base} AS builder
USER 0
ENV LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH=0 PATH=/build/bin:/usr/local/bin:/usr/bin:/bin
COPY root/ /
COPY sources/ /build/sources/
RUN --network=none {command}
FROM scratch
COPY --from=builder /{library}/ /{library}/
"""


@dataclass(frozen=True)
class Chosen:
    """The packages from source, in the order of their needs, and Debian's packages that they need.

    Attributes
    ----------
    runtime, headers
        Debian's packages that the image has, and those whose headers only the stage has.
    """

    sources: Sequence[Source]
    runtime: Sequence[str]
    headers: Sequence[str]

    def tools(self, compilers: Iterable[str]) -> list[str]:
        """Debian's packages of the stage alone, with the compilers if one has code for them."""
        compiled = [HEADERS, *compilers] if any(one.compiled for one in self.sources) else []
        return [*TOOLS, *compiled, *self.headers] if self.sources else []


@dataclass(frozen=True)
class Lacking:
    """A package that Debian lacks: its version in the lock (None: any), and the reason for people.

    Attributes
    ----------
    packaged
        The mark of the archive that the notebook's package was installed from; empty: unknown.
    """

    name: str
    version: str | None
    reason: str
    packaged: str = ""


def choose(
    lacking: Iterable[Lacking],
    locked: Collection[str],
    packaged: Callable[[Collection[str]], Mapping[str, str]],
    mirror: CranMirror,
    folder: Path,
) -> Chosen:
    """Fetch the sources of packages, and of packages that these need and Debian lacks.

    Parameters
    ----------
    locked
        The lock's packages.
    packaged
        Returns the names of Debian's packages of these packages of R, by name.
    folder
        A new folder for the archives.

    Raises
    ------
    BaseUnfit
        The mirror lacks some, or has other archives of the same versions; all are named.
    InvalidInput, ImageNotBuilt
        As the mirror.
    """
    folder.mkdir()
    waiting = deque(lacking)
    sources: dict[str, Source] = {}
    known, runtime, headers = {*locked, *_OWN}, set[str](), set[str]()
    missing, others = [], []
    while waiting:
        one = waiting.popleft()
        source = mirror.fetch(one.name, one.version, folder)
        if source is None:
            has = f"has {', '.join(there)}" if (there := mirror.offered(one.name)) else "has none either"
            missing.append(f"{one.name} {one.version or ''}".rstrip() + f": {one.reason}, and {mirror.name} {has}")
            continue
        if one.packaged and source.packaged and one.packaged != source.packaged:
            others.append(
                f"{one.name} {source.version}: installed from the archive of {one.packaged}; "
                f"{mirror.name} has the archive of {source.packaged}"
            )
        sources[one.name] = source
        further = (source.needs | source.headers) - known
        known |= further
        of_debian = packaged(sorted(further))
        runtime |= {package for name, package in of_debian.items() if name in source.needs}
        headers |= {package for name, package in of_debian.items() if name not in source.needs}
        waiting += [
            Lacking(name, None, f"{one.name} needs it, the distribution has no package of it")
            for name in sorted(further - of_debian.keys())
        ]
    if missing:
        raise BaseUnfit(
            f"packages of R that the model needs are in no source: {'; '.join(missing)}",
            f"put their archives, such as NAME_VERSION.tar.gz, into src/contrib of {mirror.name} and write the index "
            f"by tools::write_PACKAGES; or {REMEDY}",
        )
    if others:
        raise BaseUnfit(
            f"the mirror has other archives of the versions that the model was proved with: {'; '.join(others)}",
            f"copy the archives that were installed to {mirror.name}; or install these packages from it where the "
            "notebook runs, by install.packages(…, repos = …), and deploy the notebook again",
        )
    order = TopologicalSorter({name: sorted(sources[name].needs | sources[name].headers) for name in sorted(sources)})
    return Chosen([sources[name] for name in order.static_order() if name in sources], sorted(runtime), sorted(headers))


def require_engine() -> str:
    """Return the name of the container engine that builds packages. Raises ToolMissing."""
    try:
        return container_engines.find()
    except ToolMissing as error:
        raise ToolMissing(
            f"packages of R are built from source in a container, and {error.message}",
            f"install podman or buildah; or {REMEDY}",
            error.details,
        ) from error


def build(
    sources: Sequence[Source],
    root: Iterable[Entry],
    base: Base,
    store: ImageFolder,
    *,
    folder: Path,
    progress: Progress,
) -> list[Entry]:
    """Build packages, and return their files and the record of their sources.

    Parameters
    ----------
    sources
        In the order of their needs.
    root
        The stage's files above the base.
    folder
        A new folder; the returned files are in it.

    Raises
    ------
    ImageNotBuilt
        A package cannot be built; the error has the end of R's output.
    ToolMissing
    """
    name = require_engine()
    context = folder / "context"
    context.mkdir(parents=True)
    entries = list(root)
    write_tree([*entries, *_links(entries)], context / "root")
    (context / "sources").mkdir()
    for source in sources:
        shutil.copyfile(source.file, context / "sources" / source.file.name)
    shutil.copyfile(PROGRAM, context / "sources" / PROGRAM.name)
    command = ["/usr/bin/Rscript", "--vanilla", f"/build/sources/{PROGRAM.name}"]
    command += [f"/build/sources/{source.file.name}" for source in sources]
    text = _CONTAINERFILE.format(
        base=container_engines.base_reference(base), command=json.dumps(command), library=_LIBRARY
    )
    (context / "Containerfile").write_text(text, "utf-8")
    engine = container_engines.Engine(name, lambda line: _tell(line, progress))
    built, secrets = folder / "built", container_engines.Secrets((SETTINGS, "{}"), {}, frozenset())
    kept_as = f"localhost/nbdeploy/r-packages-{os.getpid()}"
    try:
        engine.build(context, store.folder, base, secrets, name=kept_as, into=built, kept=False)
    except ImageNotBuilt as error:
        words = ", ".join(f"{source.name} {source.version}" for source in sources)
        raise ImageNotBuilt(
            f"the packages of R {words} cannot be built from source",
            f"the lines below have R's reason, such as a library of the system that it looks for; or {REMEDY}",
            error.details,
        ) from error
    return [*_shipped(built, folder / "library", sources), Entry(_RECORD, _record(sources))]


def _links(root: Iterable[Entry]) -> list[Entry]:
    """Links that have ``gcc`` and the like mean the newest version in the stage, which is its release's.

    R's headers need it, and the apt of a machine may prefer an older one.
    """
    found = (_COMPILER.fullmatch(entry.name) for entry in root)
    newest = {one[1]: one for one in sorted(filter(None, found), key=lambda one: int(one[2]))}
    return [Entry(f"build/bin/{name}", f"/{one[0]}") for name, one in newest.items()]


def _shipped(layout: Path, into: Path, sources: Sequence[Source]) -> Iterator[Entry]:
    """The files of the built packages in a layout with one image."""
    made = ImageFolder(layout)
    manifest = made.manifest(made.entries()[0]["digest"])
    unpack(made.blob(manifest["layers"][-1]["digest"]), into)
    for source in sources:
        yield from entries_of(into / _LIBRARY / source.name, f"{_LIBRARY}/{source.name}")


def _record(sources: Iterable[Source]) -> bytes:
    kept = {source.name: {"version": source.version, "sha256": source.digest} for source in sources}
    return f"{json.dumps(kept, indent=1, sort_keys=True)}\n".encode()


def recorded_sources(image: Image, store: ImageFolder) -> dict[str, tuple[str, str]]:
    """Return the packages of R that an image of the store has from source: name -> version, SHA-256 of the archive."""
    if all(layer.kind != "system" for layer in image.layers):
        return {}
    found = LayerContents().read(store.folder, image.digest, [f"/{_RECORD}"])
    kept = json.loads(found.get(f"/{_RECORD}", b"{}"))
    return {name: (one["version"], one["sha256"]) for name, one in kept.items()}


def _tell(line: str, progress: Progress) -> None:
    if found := _INSTALLING.match(line):
        progress(f"building {found[1]} from source")

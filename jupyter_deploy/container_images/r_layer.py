"""The layer of an image with R and the packages of a model's lock: Debian packages, and others built from source.

The packages are unpacked, not installed: their scripts, which need root and the image's processor, do not run. What
these would have made and R needs is made here.
"""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.capture.artifacts import minor_of
from jupyter_deploy.domain.errors import BaseUnfit, InvalidInput
from jupyter_deploy.domain.images.images import Image
from jupyter_deploy.domain.images.ports import ImagePlan, Progress
from jupyter_deploy.environments.r_lock import RLock, r_lock
from jupyter_deploy.system.digests import file_sha256

from . import r_library
from .archive import Entry, entries_of
from .base_image import Base, base_packages
from .base_packages import Package, packages_in
from .contents import LayerContents
from .cran_mirror import CranMirror
from .debian_packages import Apt, Archive, described, require_apt
from .layout import ImageFolder, Writing

_FORMAT = 1
_STATUS = "var/lib/dpkg/status"
_RELEASES = ("/etc/os-release", "/usr/lib/os-release")

# R is started by a script of bash and looks for programs by "which" (of debianutils), which small bases lack; libc-bin
# has the locale C.UTF-8.
_PROGRAMS = ("bash", "coreutils", "dash", "debianutils", "grep", "libc-bin", "sed")
_R = "r-base-core"

# Debian's names of a package of R, by its source.
_PREFIXES = ("r-cran-", "r-bioc-", "r-other-")

# As in Debian's own small images, licences stay.
_LEFT_OUT = re.compile(
    r"usr/share/(?:doc/(?!.*/copyright$)|(?:man|info|locale|lintian|bug|doc-base|bash-completion|zsh|menu|applications)/)|"
    r"usr/lib/(?:systemd|tmpfiles\.d)/|etc/(?:init\.d|cron|systemd)"
)

# Folders that are links into /usr.
_MERGED = re.compile(r"(?:bin|sbin|lib|lib64)/")

_ALGEBRA = re.compile(r"(usr/lib/[^/]+)/((?:blas/libblas|lapack/liblapack)\.so(?:\.3)?)")


@dataclass(frozen=True)
class RPackages:
    """R and the packages of a lock for a base image.

    Attributes
    ----------
    title
        The layer's, such as ``R 4.5.0: 92 packages of debian-13, 1 built from source``.
    made_of
        The inputs of the layer's bytes, as JSON values.
    """

    title: str
    made_of: list[Any]
    _apt: Apt = field(repr=False)
    _names: Sequence[str]
    _archives: Sequence[Archive]
    _tools: Sequence[Archive]
    _tool_names: Sequence[str]
    _chosen: r_library.Chosen
    _database: str = field(repr=False)
    _base: Base = field(repr=False)
    _store: ImageFolder = field(repr=False)
    _folder: Path
    _progress: Progress

    @cached_property
    def entries(self) -> list[Entry]:
        """The layer's files, downloaded, unpacked and built at the first access.

        Raises
        ------
        BaseUnfit, ImageNotBuilt
            An archive cannot be downloaded or unpacked, or a package cannot be built.
        ToolMissing
            No container engine builds it.
        """
        self._folder.mkdir()
        self._progress(f"{self.title}: downloading")
        files = self._apt.download(self._names, self._archives)
        self._progress(f"{self.title}: unpacking")
        added = self._apt.unpack(files, self._folder / "system")
        database = _merged(self._database, added)
        entries = [*_unpacked(self._folder / "system"), Entry(_STATUS, database.encode())]
        if not self._chosen.sources:
            return entries
        files = self._apt.download([*self._names, *self._tool_names], self._tools)
        self._apt.unpack(files, self._folder / "tools")
        root = [*entries, *_unpacked(self._folder / "tools")]
        return [
            *entries,
            *r_library.build(
                self._chosen.sources,
                root,
                self._base,
                self._store,
                folder=self._folder / "library",
                progress=self._progress,
            ),
        ]

    def remove(self) -> None:
        """Remove the unpacked files."""
        shutil.rmtree(self._folder, ignore_errors=True)


def check(plan: ImagePlan) -> None:
    """Raise ToolMissing, before slow work, if this machine cannot make the layer of a model of R."""
    if r_lock(plan.snapshot) is not None:
        require_apt()


def r_packages(
    plan: ImagePlan,
    base: Base,
    store: ImageFolder,
    writing: Writing,
    progress: Progress,
    *,
    mirror: CranMirror | None,
) -> RPackages | None:
    """Find the packages that a model of R needs and the base lacks; None: it needs no R, or the base has all.

    Parameters
    ----------
    mirror
        Has the sources of packages that Debian lacks.

    Raises
    ------
    BaseUnfit
        The base is not of Debian; its R has another minor version than the lock's; neither Debian nor the mirror has a
        package in the lock's version.
    InvalidInput
        The mirror is faulty, or the packages to build are for another processor than this machine's.
    ImageNotBuilt
        The sources of packages, or the mirror, do not answer.
    ToolMissing
        No container engine builds packages from source.
    """
    lock = r_lock(plan.snapshot)
    if lock is None:
        return None
    notes = LayerContents().read(store.folder, base.held, [f"/{_STATUS}", *_RELEASES])
    if f"/{_STATUS}" not in notes:
        raise BaseUnfit(
            f"the base image {base.name} is not of Debian or Ubuntu, and {plan.snapshot.tag} needs R, which nbdeploy "
            "adds from their packages",
            f"set base_image to one of them with Python {base.python.minor}, such as python:{base.python.minor}-slim",
        )
    release = _fields(next((notes[name] for name in _RELEASES if name in notes), b""))
    database = notes[f"/{_STATUS}"].decode(errors="replace")
    progress(f"R {lock.version} in {described(release)}")
    architecture = str(base.config["architecture"])
    apt = Apt(writing.making / "apt", release, database, architecture=architecture, base=base.name, lock=writing.lock)
    fitting, lacking = _fitting(lock, apt, base, described(release))
    chosen = _from_source(
        lacking, plan, mirror, locked=lock.packages.keys(), apt=apt, base=base.name, folder=writing.making / "r-sources"
    )
    names = [_R, *fitting, *chosen.runtime, *_PROGRAMS]
    archives = apt.lacking(names)
    more = chosen.tools(_compilers(apt) if chosen.sources else ())
    tools = [one for one in apt.lacking([*names, *more]) if one not in archives] if more else []
    if not archives and not chosen.sources:
        return None
    title = f"R {lock.version}: {len(archives)} packages of {described(release)}"
    made_of = [_FORMAT, "r", base.held, [[one.file, one.digest] for one in archives]]
    if chosen.sources:
        title += f", {len(chosen.sources)} built from source"
        made_of += [[one.digest for one in chosen.sources], [[one.file, one.digest] for one in tools]]
        made_of += [file_sha256(r_library.PROGRAM)]
    return RPackages(
        title=title,
        made_of=made_of,
        _apt=apt,
        _names=names,
        _archives=archives,
        _tools=tools,
        _tool_names=more,
        _chosen=chosen,
        _database=database,
        _base=base,
        _store=store,
        _folder=writing.making / "r",
        _progress=progress,
    )


def image_packages(image: Image, store: ImageFolder) -> list[Package]:
    """Return the packages of a distribution in an image of the store: its base's, and those of a layer with R."""
    if all(layer.kind != "system" for layer in image.layers):
        return base_packages(image.base, store)
    notes = LayerContents().read(store.folder, image.digest, [f"/{_STATUS}", *_RELEASES])
    release = next((notes[name] for name in _RELEASES if name in notes), b"")
    return packages_in([notes[f"/{_STATUS}"].decode(errors="replace")], release.decode(errors="replace"))


def _fields(release: bytes) -> dict[str, str]:
    lines = (line.partition("=")[::2] for line in release.decode(errors="replace").splitlines())
    return {name: value.strip("\"'") for name, value in lines}


def _fitting(lock: RLock, apt: Apt, base: Base, release: str) -> tuple[list[str], list[r_library.Lacking]]:
    """Return the Debian packages of a lock's packages, and those that have none. Raises BaseUnfit for another R."""
    candidates = {name: _candidates(name) for name in lock.packages}
    versions = apt.versions([_R, *(one for names in candidates.values() for one in names)])
    there = minor_of(_upstream(versions.get(_R, "")))
    if there != minor_of(lock.version):
        has = f"has R {_upstream(versions[_R])}" if there else "has no R"
        raise BaseUnfit(
            f"the base image {base.name} is of {release}, which {has}, and the notebook ran on R {lock.version}",
            f"set base_image to one of the release whose R is {minor_of(lock.version)}: Debian bookworm has 4.2, "
            "Ubuntu noble 4.3, Debian trixie 4.5",
        )
    named, lacking = [], []
    for name, version in lock.packages.items():
        package = next((one for one in candidates[name] if one in versions), None)
        if package is not None and _is_of(version, versions[package]):
            named.append(package)
            continue
        has = "no package of it" if package is None else _upstream(versions[package])
        lacking.append(r_library.Lacking(name, version, f"{release} has {has}", lock.packaged.get(name, "")))
    return named, lacking


def _candidates(name: str) -> list[str]:
    """Debian's possible names of a package of R."""
    return [f"{prefix}{name.lower()}" for prefix in _PREFIXES]


def _compilers(apt: Apt) -> list[str]:
    """Debian's packages of the release's own compilers, by the version of their library; apt may prefer older ones."""
    version = apt.versions(["libgcc-s1"]).get("libgcc-s1", "").partition(".")[0]
    return sorted(apt.versions([f"{name}-{version}" for name in r_library.COMPILERS]))


def _from_source(
    lacking: Sequence[r_library.Lacking],
    plan: ImagePlan,
    mirror: CranMirror | None,
    *,
    locked: Collection[str],
    apt: Apt,
    base: str,
    folder: Path,
) -> r_library.Chosen:
    """Choose the packages that Debian lacks from the mirror. Raises as ``r_packages``."""
    if not lacking:
        return r_library.Chosen([], [], [])
    if mirror is None:
        words = "; ".join(f"{one.name} {one.version}: {one.reason}" for one in lacking)
        raise BaseUnfit(
            f"packages of R that the model was proved with do not fit the base image {base}: {words}",
            f"{r_library.REMEDY}; or set cran_mirror to a folder or mirror with their sources, in CRAN's layout; or "
            "set base_image to one of a release that has these versions",
        )

    def packaged(names: Collection[str]) -> dict[str, str]:
        candidates = {name: _candidates(name) for name in names}
        there = apt.versions([one for of in candidates.values() for one in of]) if names else {}
        return {name: one for name, of in candidates.items() for one in of[::-1] if one in there}

    chosen = r_library.choose(lacking, locked, packaged, mirror, folder)
    here = f"linux-{platform.machine()}"
    if (there := plan.snapshot.manifest.environment.platform) != here:
        raise InvalidInput(
            f"the notebook ran on {there}, and packages of R are built from source for {here} here",
            f"publish it on such a machine; or {r_library.REMEDY}",
        )
    r_library.require_engine()
    return chosen


def _upstream(version: str) -> str:
    """``1:7.3-65+dfsg-1`` -> ``7.3-65``, as R writes it."""
    without_revision = version.rpartition("-")[0] or version
    return re.split(r"[+~]", without_revision.rpartition(":")[2])[0]


def _is_of(version: str, packaged: str) -> bool:
    """Whether a Debian version is of a version of R, which has ``.`` or ``-`` between numbers (3.1.168 is 3.1-168).

    A package of a later commit, ``1.3.2+git…``, is one of 1.3.2.9000.
    """
    ours, theirs = re.split(r"[.-]", version), re.split(r"[.-]", _upstream(packaged))
    return ours == theirs or ("+git" in packaged and ours[: len(theirs)] == theirs)


def _merged(database: str, added: str) -> str:
    """The package database with further paragraphs, each in place of one of the same package."""
    paragraphs = {}
    for text in (*re.split(r"\n\s*\n", database), *re.split(r"\n\s*\n", added)):
        fields = dict(re.findall(r"(?m)^(Package|Architecture): *(\S+)", text))
        if "Package" in fields:
            paragraphs[fields["Package"], fields.get("Architecture", "")] = text.strip("\n")
    return "".join(f"{paragraphs[key]}\n\n" for key in sorted(paragraphs))


def _unpacked(folder: Path) -> Iterator[Entry]:
    """The unpacked files, and those that the packages' scripts would have made."""
    for entry in entries_of(folder, ""):
        name = f"usr/{entry.name}" if _MERGED.match(entry.name) else entry.name
        if _LEFT_OUT.match(name):
            continue
        yield Entry(name, entry.source, executable=entry.executable)
        if found := _ALGEBRA.fullmatch(name):  # update-alternatives makes the link
            yield Entry(f"{found[1]}/{Path(found[2]).name}", found[2])
        if name == "usr/bin/which.debianutils":  # so does this one
            yield Entry("usr/bin/which", "which.debianutils")
        if name == "usr/bin/gawk":  # and this one
            yield Entry("usr/bin/awk", "gawk")
        if name == "usr/lib/R/etc/Renviron.ucf":  # R's folders of packages; ucf copies it
            yield Entry("etc/R/Renviron", entry.source)

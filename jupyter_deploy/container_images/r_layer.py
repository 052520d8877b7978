"""The layer of an image with R and the packages of a model's lock, from Debian packages.

The packages are unpacked, not installed: their scripts, which need root and the image's processor, do not run. What
these would have made and R needs is made here.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.capture.artifacts import minor_of
from jupyter_deploy.domain.errors import BaseUnfit
from jupyter_deploy.domain.images.images import Image
from jupyter_deploy.domain.images.ports import ImagePlan, Progress
from jupyter_deploy.environments.r_lock import RLock, r_lock

from .archive import Entry, entries_of
from .base_image import Base, base_packages
from .base_packages import Package, packages_in
from .contents import LayerContents
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

_ALGEBRA = re.compile(r"(usr/lib/[^/]+)/((?:blas/libblas|lapack/liblapack)\.so\.3)")


@dataclass(frozen=True)
class RPackages:
    """R and the packages of a lock for a base image.

    Attributes
    ----------
    title
        The layer's, such as ``R 4.5.0: 92 packages of debian-13``.
    made_of
        The inputs of the layer's bytes, as JSON values.
    """

    title: str
    made_of: list[Any]
    _apt: Apt = field(repr=False)
    _names: Sequence[str]
    _archives: Sequence[Archive]
    _database: str = field(repr=False)
    _folder: Path
    _progress: Progress

    @cached_property
    def entries(self) -> list[Entry]:
        """The layer's files, downloaded and unpacked at the first access.

        Raises
        ------
        BaseUnfit, ImageNotBuilt
            An archive cannot be downloaded or unpacked.
        """
        self._progress(f"{self.title}: downloading")
        files = self._apt.download(self._names, self._archives)
        self._progress(f"{self.title}: unpacking")
        added = self._apt.unpack(files, self._folder)
        database = _merged(self._database, added)
        return [*_unpacked(self._folder), Entry(_STATUS, database.encode())]

    def remove(self) -> None:
        """Remove the unpacked files."""
        shutil.rmtree(self._folder, ignore_errors=True)


def check(plan: ImagePlan) -> None:
    """Raise ToolMissing, before slow work, if this machine cannot make the layer of a model of R."""
    if r_lock(plan.snapshot) is not None:
        require_apt()


def r_packages(
    plan: ImagePlan, base: Base, store: ImageFolder, writing: Writing, progress: Progress
) -> RPackages | None:
    """Find the packages that a model of R needs and the base lacks; None: it needs no R, or the base has all.

    Raises
    ------
    BaseUnfit
        The base is not of Debian; its R has another minor version than the lock's; a package of the lock has another
        version there, or is not there.
    ImageNotBuilt
        The sources of packages do not answer.
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
    names = [_R, *_fitting(lock, apt, base, described(release)), *_PROGRAMS]
    archives = apt.lacking(names)
    if not archives:
        return None
    return RPackages(
        title=f"R {lock.version}: {len(archives)} packages of {described(release)}",
        made_of=[_FORMAT, "r", base.held, [[one.file, one.digest] for one in archives]],
        _apt=apt,
        _names=names,
        _archives=archives,
        _database=database,
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


def _fitting(lock: RLock, apt: Apt, base: Base, release: str) -> list[str]:
    """Return the Debian packages of a lock's packages. Raises BaseUnfit, with all that do not fit."""
    candidates = {name: [f"{prefix}{name.lower()}" for prefix in _PREFIXES] for name in lock.packages}
    versions = apt.versions([_R, *(one for names in candidates.values() for one in names)])
    there = minor_of(_upstream(versions.get(_R, "")))
    if there != minor_of(lock.version):
        has = f"has R {_upstream(versions[_R])}" if there else "has no R"
        raise BaseUnfit(
            f"the base image {base.name} is of {release}, which {has}, and the notebook ran on R {lock.version}",
            f"set base_image to one of the release whose R is {minor_of(lock.version)}: Debian bookworm has 4.2, "
            "Ubuntu noble 4.3, Debian trixie 4.5",
        )
    named, wrong = [], []
    for name, version in lock.packages.items():
        package = next((one for one in candidates[name] if one in versions), None)
        if package is None:
            wrong.append(f"{name} {version}: {release} has no package of it")
        elif not _is_of(version, versions[package]):
            wrong.append(f"{name} {version}: {release} has {_upstream(versions[package])}")
        else:
            named.append(package)
    if wrong:
        raise BaseUnfit(
            f"packages of R that the model was proved with do not fit the base image {base.name}: {'; '.join(wrong)}",
            "install the distribution's packages where the notebook runs, such as 'apt-get install r-cran-mass', and "
            "deploy it again; or set base_image to one of a release that has these versions",
        )
    return named


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
        if name == "usr/lib/R/etc/Renviron.ucf":  # R's folders of packages; ucf copies it
            yield Entry("etc/R/Renviron", entry.source)

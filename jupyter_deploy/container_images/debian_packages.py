"""Packages of a base image's distribution, by this machine's apt: found, downloaded, unpacked; none is installed here.

apt has the base's package database, its architecture and release, a folder of its own, and this machine's sources,
settings and keys. It needs no root.
"""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from jupyter_deploy.domain.errors import BaseUnfit, ImageNotBuilt, ToolMissing

from .programs import Completed, masked, run

_ARCHITECTURES = {"ppc64le": "ppc64el"}
"""Debian's names of processors that differ from containers' names."""

_SOURCES = Path("/etc/apt")
_TAIL = 8

# Hooks of this machine (such as a container's, which remove archives) are no part of it.
_SETTINGS = """\
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::State::lists "{folder}/lists";
Dir::Cache "{folder}/cache";
Dir::Cache::archives "{folder}/archives";
Dir::Log "{folder}/log";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "{folder}/sources.list.d";
#clear APT::Update;
#clear APT::Architectures;
#clear DPkg::Pre-Install-Pkgs;
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Default-Release "";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Debug::NoLocking "true";
"""

_SUITES = re.compile(r"(?m)^(Suites:[ \t]*|deb(?:-src)?[ \t]+(?:\[[^\]]*\][ \t]+)?\S+[ \t]+)(\S.*)$")


@dataclass(frozen=True)
class Archive:
    """An archive that the base lacks.

    Attributes
    ----------
    file
        Its name, which has the version.
    digest
        The hash that the distribution signs; empty: apt does not print it. apt verifies the archive in any case.
    """

    file: str
    address: str
    digest: str


def require_apt() -> None:
    """Raise ToolMissing if this machine has no apt."""
    missing = [program for program in ("apt-get", "apt-cache", "dpkg-deb") if shutil.which(program) is None]
    if missing:
        raise ToolMissing(
            f"'{missing[0]}' is not installed, and R comes from Debian's packages",
            "publish models of R on Debian or Ubuntu, or in a container of it",
        )


class Apt:
    """apt for a base image.

    Parameters
    ----------
    folder
        A new folder for its files.
    release
        The base's ``os-release``: ``ID``, ``VERSION_CODENAME``, …
    status
        The base's package database.
    architecture
        The base's processor, as containers name it.
    base
        Its name for errors.
    lock
        A descriptor that apt inherits.

    Raises
    ------
    BaseUnfit
        This machine has another distribution, whose sources do not have the base's packages.
    ImageNotBuilt
        The sources do not answer.
    """

    def __init__(
        self, folder: Path, release: Mapping[str, str], status: str, *, architecture: str, base: str, lock: int
    ) -> None:
        self._folder, self._base, self._lock = folder, base, lock
        for name in ("state", "lists/partial", "cache", "archives/partial", "log", "sources.list.d"):
            (folder / name).mkdir(parents=True)
        (folder / "status").write_text(status, "utf-8")
        self._write_sources(release)
        architecture = _ARCHITECTURES.get(architecture, architecture)
        (folder / "apt.conf").write_text(_SETTINGS.format(folder=folder, architecture=architecture), "utf-8")
        ended = self._run("apt-get", "update", "-qq", "--error-on=any")
        if ended.code:
            raise ImageNotBuilt(
                f"this machine's sources of packages have no list for the base image {base}",
                "does 'apt-get update' work? A base of another release needs the keys of that release",
                _end_of(ended),
            )

    def versions(self, names: Iterable[str]) -> dict[str, str]:
        """Return the versions that the image would have: installed in the base, else offered; without unknown names."""
        ended = self._run("apt-cache", "policy", *names)
        versions = {}
        for paragraph in re.split(r"\n(?=\S)", ended.output.decode(errors="replace")):
            name = paragraph.partition(":")[0]
            found = dict(re.findall(r"^  (Installed|Candidate): (\S+)", paragraph, re.MULTILINE))
            known = [version for version in (found.get("Installed"), found.get("Candidate")) if version]
            known = [version for version in known if version != "(none)"]
            if known:
                versions[name] = known[0]
        return versions

    def lacking(self, names: Iterable[str]) -> list[Archive]:
        """Return the archives of these packages and all that they need, without what the base has.

        Raises
        ------
        BaseUnfit
            They do not fit the base's packages.
        """
        return archives_in(self._install(names, "--print-uris").output.decode())

    def download(self, names: Iterable[str], archives: Iterable[Archive]) -> list[Path]:
        """Download them, and return their files. Raises as ``lacking``."""
        self._install(names, "--download-only")
        return [self._file_of(archive) for archive in archives]

    def unpack(self, files: Iterable[Path], into: Path) -> str:
        """Unpack archives, whose programs do not run; return their part of the package database.

        Raises
        ------
        ImageNotBuilt
            One cannot be unpacked.
        """
        into.mkdir()
        paragraphs = []
        for file in files:
            for command in ("--extract", "--field"):
                target = [str(into)] if command == "--extract" else []
                ended = self._run("dpkg-deb", command, str(file), *target, own=False)
                if ended.code:
                    raise ImageNotBuilt(f"{file.name} cannot be unpacked", "publish it again", _end_of(ended))
            name, _, rest = ended.output.decode().strip().partition("\n")
            paragraphs.append(f"{name}\nStatus: install ok installed\n{rest}\n")
        return "\n".join(paragraphs)

    def _install(self, names: Iterable[str], mode: str) -> Completed:
        ended = self._run("apt-get", "install", "-qq", "--yes", "--no-remove", "--no-upgrade", mode, *names)
        if ended.code:
            raise BaseUnfit(
                f"R's packages do not fit the packages of the base image {self._base}",
                "set base_image to one whose packages are of one release, such as python:X.Y-slim",
                _end_of(ended),
            )
        return ended

    def _file_of(self, archive: Archive) -> Path:
        """The archive's file: downloaded, or where a local source has it."""
        file = self._folder / "archives" / archive.file
        return file if file.exists() else Path(unquote(archive.address.removeprefix("file:")))

    def _run(self, program: str, *arguments: str, own: bool = True) -> Completed:
        settings = ["-c", str(self._folder / "apt.conf")] if own else []
        return run(program, [*settings, *arguments], {"LC_ALL": "C.UTF-8"}, held=(self._lock,))

    def _write_sources(self, release: Mapping[str, str]) -> None:
        """Write this machine's sources, with the base's release in place of its own."""
        here = platform.freedesktop_os_release()
        if here.get("ID") != release.get("ID"):
            raise BaseUnfit(
                f"the base image {self._base} is of {described(release)}, whose packages this machine, "
                f"{described(here)}, has no sources of",
                f"set base_image to one of {described(here)}, or publish on a machine, or in a container, of "
                f"{described(release)}",
            )
        files = [_SOURCES / "sources.list", *sorted((_SOURCES / "sources.list.d").glob("*"))]
        old, new = here.get("VERSION_CODENAME", ""), release.get("VERSION_CODENAME", "")
        for file in files:
            if file.is_file() and file.suffix in (".list", ".sources"):
                place = self._folder / file.relative_to(_SOURCES)
                place.write_text(_of_release(file.read_text("utf-8"), old, new), "utf-8")


def archives_in(printed: str) -> list[Archive]:
    """Return the archives that apt prints with ``--print-uris``, by file name."""
    lines = (line.split() for line in printed.splitlines() if line.startswith("'"))
    return sorted(
        (Archive(file, address.strip("'"), "".join(digest)) for address, file, _, *digest in lines),
        key=lambda archive: archive.file,
    )


def _of_release(sources: str, old: str, new: str) -> str:
    """Sources with another release's name in their suites, such as ``bookworm-updates``."""
    if not old or not new:
        return sources
    word = re.compile(rf"(?<!\S){re.escape(old)}(?=[-/\s]|$)")
    return _SUITES.sub(lambda match: match[1] + word.sub(new, match[2]), sources)


def described(release: Mapping[str, str]) -> str:
    """A distribution's release for people, such as ``Debian GNU/Linux 13 (trixie)``."""
    return release.get("PRETTY_NAME") or release.get("ID") or "an unknown distribution"


def _end_of(ended: Completed) -> str:
    return "\n".join(masked(ended.complaints).strip().splitlines()[-_TAIL:])

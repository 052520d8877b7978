"""A mirror of source packages of R in CRAN's layout, in a folder or at an address. No code of a package runs here."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from dataclasses import dataclass
from email.parser import Parser
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import httpx

from jupyter_deploy.domain.errors import ImageNotBuilt, InvalidInput
from jupyter_deploy.domain.images.cran import is_address, parse_mirror
from jupyter_deploy.system.digests import sha256

from .programs import masked

_CONTRIB = "src/contrib"
_SECONDS = 60.0

# R's rules for names and versions, and subfolders of the index: other texts could lead out of the mirror.
_NAME, _VERSION = re.compile(r"[A-Za-z][A-Za-z0-9.]*[A-Za-z0-9]"), re.compile(r"\d+([.-]\d+)+")
_SUBFOLDER = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")

_LARGEST_DESCRIPTION = 1 << 20  # bytes


@dataclass(frozen=True)
class Source:
    """The source of a package.

    Attributes
    ----------
    file
        Its archive, ``NAME_VERSION.tar.gz``, in a folder of this machine.
    digest
        The archive's SHA-256.
    needs, headers
        The packages that it imports or depends on, and those whose headers its code includes.
    compiled
        Whether it has code of C, C++ or Fortran.
    packaged
        The time and the user by which ``R CMD build`` marked the archive; empty: unknown.
    """

    name: str
    version: str
    file: Path
    digest: str
    needs: frozenset[str]
    headers: frozenset[str]
    compiled: bool
    packaged: str


class _Listed(NamedTuple):
    """A package in the index; its subfolder and MD5 may be empty."""

    version: str
    subfolder: str
    md5: str


class CranMirror:
    """A mirror.

    Parameters
    ----------
    location
        The folder, or the address, that has ``src/contrib/PACKAGES``.
    """

    def __init__(self, location: str) -> None:
        self._location = parse_mirror(location)
        self.name = masked(self._location)

    def offered(self, name: str) -> list[str]:
        """Return the versions of a package in the index, without those of the archive."""
        return [one.version for one in self._index.get(name, ())]

    def fetch(self, name: str, version: str | None, into: Path) -> Source | None:
        """Fetch a package's source into a folder; None: the mirror lacks it.

        Parameters
        ----------
        version
            None: the one in the index. Others may be in ``Archive/NAME/``.

        Raises
        ------
        InvalidInput
            The mirror has no index, or the archive is of another package or has another MD5 than in the index.
        ImageNotBuilt
            The mirror does not answer.
        """
        if not _NAME.fullmatch(name) or (version is not None and not _VERSION.fullmatch(version)):
            return None
        listed = [one for one in self._index.get(name, ()) if version in (None, one.version)]
        if version is None and not listed:
            return None
        file = f"{name}_{listed[0].version if listed else version}.tar.gz"
        folder = listed[0].subfolder if listed else f"Archive/{name}"
        content = self._read("/".join(filter(None, (_CONTRIB, folder, file))))
        if content is None:
            return None
        if listed and listed[0].md5 and hashlib.md5(content, usedforsecurity=False).hexdigest() != listed[0].md5:
            raise InvalidInput(
                f"{file} in {self.name} has another MD5 than in {_CONTRIB}/PACKAGES",
                "copy it to the mirror again, and write the index again: tools::write_PACKAGES",
            )
        (into / file).write_bytes(content)
        return self._described(into / file, content, name, version)

    def _described(self, file: Path, content: bytes, name: str, version: str | None) -> Source:
        """The source by the DESCRIPTION in its archive."""
        about = Parser().parsestr(_description(content, name), headersonly=True)
        if about.get("Package") != name or version not in (None, about.get("Version")):
            raise InvalidInput(
                f"{file.name} in {self.name} is not the source of {name} {version or ''}".rstrip(),
                f"put an archive there that 'R CMD build' made of {name}",
            )
        return Source(
            name=name,
            version=str(about["Version"]),
            file=file,
            digest=sha256(content),
            needs=_names(about.get("Depends", ""), about.get("Imports", "")),
            headers=_names(about.get("LinkingTo", "")),
            compiled=about.get("NeedsCompilation", "yes").strip().lower() != "no",
            packaged=about.get("Packaged", "").strip(),
        )

    @cached_property
    def _index(self) -> dict[str, list[_Listed]]:
        content = self._read(f"{_CONTRIB}/PACKAGES")
        if content is None:
            raise InvalidInput(
                f"cran_mirror {self.name} has no {_CONTRIB}/PACKAGES, the index of a mirror in CRAN's layout",
                f"name the folder or address above '{_CONTRIB}'; R writes the index: "
                f"tools::write_PACKAGES(\"{_CONTRIB}\", type = 'source')",
            )
        found: dict[str, list[_Listed]] = {}
        for paragraph in re.split(r"\n\s*\n", content.decode(errors="replace")):
            fields = dict(re.findall(r"(?m)^(Package|Version|MD5sum|Path): *(\S+)", paragraph))
            folder = fields.get("Path", "")
            if "Package" in fields and "Version" in fields and (not folder or _SUBFOLDER.fullmatch(folder)):
                one = _Listed(fields["Version"], folder, fields.get("MD5sum", ""))
                found.setdefault(fields["Package"], []).append(one)
        return found

    def _read(self, path: str) -> bytes | None:
        """A file of the mirror; None: it is not there."""
        if not is_address(self._location):
            try:
                return (Path(self._location) / path).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None
            except OSError as error:
                raise ImageNotBuilt(
                    f"{self.name}/{path} cannot be read: {error.strerror}", "mend its rights"
                ) from error
        try:
            answer = httpx.get(f"{self._location}/{path}", follow_redirects=True, timeout=_SECONDS)
            parse_mirror(str(answer.url))  # a redirect leads to no other scheme
            if answer.status_code == httpx.codes.NOT_FOUND:
                return None
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise ImageNotBuilt(
                f"cran_mirror {self.name} does not answer", "is it reachable, by a proxy?", masked(str(error))
            ) from error
        return answer.content


def _description(content: bytes, name: str) -> str:
    """The DESCRIPTION in an archive, or an empty text; nothing is unpacked."""
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                if member.name == f"{name}/DESCRIPTION" and member.isfile() and member.size < _LARGEST_DESCRIPTION:
                    opened = archive.extractfile(member)
                    return opened.read().decode(errors="replace") if opened else ""
    except (tarfile.TarError, EOFError, OSError):
        return ""
    return ""


def _names(*fields: str) -> frozenset[str]:
    """``R (>= 4.1), methods, MASS`` -> methods, MASS."""
    words = (word.partition("(")[0].strip() for field in fields for word in field.split(","))
    return frozenset(word for word in words if word and word != "R")

"""The packages of a base image, by the notes of Debian's package manager. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from email.parser import Parser
from typing import NamedTuple

STATUS = re.compile(r"var/lib/dpkg/(?:status|status\.d/[^/]+)")
"""The files with a paragraph for each package; images without a package manager have one file each."""

RELEASE = re.compile(r"(?:etc|usr/lib)/os-release")


class Package(NamedTuple):
    """An installed package of a distribution, which is named as in ``debian-12``."""

    name: str
    version: str
    architecture: str
    maintainer: str
    distribution: str


def packages_in(statuses: Iterable[str], release: str) -> list[Package]:
    """Return the installed packages, sorted by name.

    Parameters
    ----------
    statuses
        The contents of the files that ``STATUS`` matches.
    release
        The content of ``os-release``.
    """
    about = dict(line.partition("=")[::2] for line in release.splitlines())
    names = (about.get(key, "").strip("\"'") for key in ("ID", "VERSION_ID"))
    distribution = "-".join(filter(None, names)) or "debian"
    return sorted({package for text in statuses for package in _packages(text, distribution)})


def _packages(text: str, distribution: str) -> Iterator[Package]:
    for paragraph in re.split(r"\n\s*\n", text):
        fields = Parser().parsestr(paragraph.lstrip(), headersonly=True)
        name, version = fields.get("Package"), fields.get("Version")
        if name and version and fields.get("Status", "installed").endswith("installed"):
            about = (fields.get("Architecture", ""), fields.get("Maintainer", ""))
            yield Package(name, version, *about, distribution)

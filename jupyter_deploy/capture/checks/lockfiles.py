"""The versions that a project's lock file allows, for every common tool."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name


@dataclass
class Lock:
    """The allowed versions by distribution (canonical name), of which one must match.

    ``unreadable`` gives the reason why a file could not be read; empty: all were read.
    """

    name: str
    pins: dict[str, list[SpecifierSet]] = field(default_factory=dict)
    unreadable: str = ""

    def allows(self, name: str, version: str) -> bool:
        """Whether the lock allows this version; a distribution outside the lock may have any version."""
        pins = self.pins.get(canonicalize_name(name))
        # torch's 2.9.1+cpu is a build of 2.9.1, so the specifier allows it.
        return not pins or any(pin.contains(version, prereleases=True) for pin in pins)

    def allowed_versions(self, name: str) -> str:
        """Return the allowed versions of a distribution in words."""
        return " or ".join(dict.fromkeys(str(pin).removeprefix("==") for pin in self.pins[canonicalize_name(name)]))


def nearest_lock(folder: Path, project: Path) -> Lock | None:
    """Return the lock of the first folder, from ``folder`` up to ``project``, that has one.

    If a folder has several kinds, the first of ``_KINDS`` counts; each of several ``requirements*.txt`` may match.
    """
    folder, project = folder.resolve(), project.resolve()
    above = [folder, *folder.parents]
    for here in above[: above.index(project) + 1] if project in above else [folder]:
        for pattern, read in _KINDS:
            paths = sorted(here.glob(pattern))
            lock = _read(paths, read) if paths else None
            if lock is not None and (lock.pins or lock.unreadable):
                return lock
    return None


def _read(paths: list[Path], read: Callable[[str], Iterator[tuple[str, str]]]) -> Lock:
    lock = Lock(" and ".join(path.name for path in paths))
    for path in paths:
        try:
            for name, pin in read(path.read_text("utf-8")):
                lock.pins.setdefault(canonicalize_name(name), []).append(SpecifierSet(pin))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, InvalidSpecifier) as error:
            lock.unreadable = f"{path.name}: {type(error).__name__}"
    return lock


def _packages(key: str) -> Callable[[str], Iterator[tuple[str, str]]]:
    """Return a reader of uv.lock, poetry.lock, pdm.lock (``package``) and pylock.toml (``packages``)."""

    def read(text: str) -> Iterator[tuple[str, str]]:
        for package in tomllib.loads(text).get(key, []):
            if "version" in package:
                yield package["name"], f"=={package['version']}"

    return read


def _pipfile(text: str) -> Iterator[tuple[str, str]]:
    document: dict[str, Any] = json.loads(text)
    for name, package in document.get("default", {}).items():
        if str(package.get("version", "")).startswith("=="):
            yield name, package["version"]


def _requirements(text: str) -> Iterator[tuple[str, str]]:
    for line in text.replace("\\\n", " ").splitlines():
        written = line.partition(" #")[0].partition(" --hash")[0].strip()
        try:
            requirement = Requirement(written)
        except InvalidRequirement:
            continue  # an option, a comment or a path
        exact = any(clause.operator in ("==", "===") for clause in requirement.specifier)
        if exact and (requirement.marker is None or requirement.marker.evaluate()):
            yield requirement.name, str(requirement.specifier)


def _conda(text: str) -> Iterator[tuple[str, str]]:
    import yaml

    for entry in (yaml.safe_load(text) or {}).get("dependencies", []):
        if isinstance(entry, dict):
            yield from _requirements("\n".join(map(str, entry.get("pip", []))))
            continue
        name, _, rest = str(entry).rpartition("::")[2].partition("=")
        version = rest.removeprefix("=").partition("=")[0].strip()
        if version and version[0].isdigit() and name.strip().replace("-", "").replace("_", "").isalnum():
            # 'numpy=1.26' means any 1.26.x.
            yield name.strip(), f"=={version}" if rest.startswith("=") else f"=={version.removesuffix('.*')}.*"


_KINDS: tuple[tuple[str, Callable[[str], Iterator[tuple[str, str]]]], ...] = (
    ("uv.lock", _packages("package")),
    ("poetry.lock", _packages("package")),
    ("pdm.lock", _packages("package")),
    ("pylock*.toml", _packages("packages")),
    ("Pipfile.lock", _pipfile),
    ("requirements*.txt", _requirements),
    ("environment.y*ml", _conda),
)

"""The size of the distributions that a model needs, as they are installed here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import metadata


def library_bytes(distributions: Mapping[str, str]) -> int | None:
    """Return the bytes of installed distributions, without compiled files; None: one is not here in its version.

    Parameters
    ----------
    distributions
        Versions by name, as a lock has them.
    """
    sizes = [_size(name, version) for name, version in distributions.items()]
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


@cache
def _size(name: str, version: str) -> int | None:
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    if found.version != version or found.files is None:
        return None
    return sum(file.size or 0 for file in found.files)

"""Mirrors of source packages of R in CRAN's layout. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from jupyter_deploy.domain.errors import InvalidInput

_OF_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


def is_address(mirror: str) -> bool:
    """Whether a mirror is an address; else it is a folder."""
    return "://" in mirror


def parse_mirror(text: str) -> str:
    """Return an address or a folder as written, without slashes at its end.

    Raises
    ------
    InvalidInput
        An address is neither ``https://…`` nor ``http://…`` of this machine: others could change the source on its way.
    """
    mirror = text.strip().rstrip("/")
    if not mirror:
        raise InvalidInput("a mirror of R's packages has no name", "name a folder with src/contrib/PACKAGES")
    if is_address(text):
        address = urlsplit(mirror)
        local = address.scheme == "http" and address.hostname in _OF_THIS_MACHINE
        if not address.hostname or not (address.scheme == "https" or local):
            raise InvalidInput(
                f"'{address.scheme}://{address.hostname or ''}' is no mirror of R's packages",
                "name a folder, or an address that begins with https://",
            )
    return mirror

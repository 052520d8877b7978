"""Host names by which clients may call a gateway, as a setting. Pure."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

HOST = re.compile(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")


def _host_names(value: Any) -> Any:
    """``a,b`` as two names, each checked."""
    names = [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value
    if not isinstance(names, list | tuple):
        return names  # pydantic reports the type
    for name in names:
        if not HOST.fullmatch(str(name)):
            raise ValueError(f"'{name}' is not a host: write names without scheme and port, such as box.example.org")
    return tuple(str(name).lower() for name in names)


HostNames = Annotated[
    tuple[str, ...],
    BeforeValidator(_host_names),
    PlainSerializer(",".join, when_used="json"),
]
"""Names, or a text that separates them by commas; one may begin with ``*.``."""

"""Secret names: parameters and variables whose values are never shown and never stored."""

from __future__ import annotations

import itertools
import re
from typing import Any

HIDDEN = "(hidden)"

_ALWAYS = frozenset({"password", "passwd", "passphrase", "pwd", "secret", "secrets", "credential", "credentials"})
_KEYS = frozenset({"api", "access", "private", "secret", "signing", "encryption", "account"})
_HARMLESS_TOKENS = frozenset(
    {"pad", "eos", "bos", "unk", "sep", "cls", "mask", "stop", "special", "start", "end", "next", "per", "n", "max"}
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_ANNOTATION = r"(?::[^=\n\"']*)?"
_LITERAL = re.compile(
    r"(?P<name>[A-Za-z_]\w*)(?P<between>[\"']?\]?\s*(?:" + _ANNOTATION + r"=|[:(,])\s*[rbfuRBFU]{0,2})"
    r"(?P<literal>\"\"\".*?\"\"\"|'''.*?'''|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')",
    re.DOTALL,
)


def is_confidential(name: str) -> bool:
    """Whether a name says that its value is a secret: ``api_key``, ``dbPassword``; not ``max_tokens``."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words:
        return False
    if _ALWAYS.intersection(words) or "apikey" in words:
        return True
    if any(first in _KEYS and second == "key" for first, second in itertools.pairwise(words)):
        return True
    return words[-1] == "token" and (len(words) == 1 or words[-2] not in _HARMLESS_TOKENS)


def hide_secrets(name: str, value: Any) -> Any:
    """Return the value, or ``HIDDEN`` if the name is secret; also for the keys of nested mappings."""
    if value is not None and is_confidential(name):
        return HIDDEN
    if isinstance(value, dict):
        return {key: hide_secrets(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hide_secrets("", item) for item in value]
    return value


def mask_literals(source: str) -> str:
    """Replace the text literals of secret names in Python source."""

    def mask(match: re.Match[str]) -> str:
        if not is_confidential(match["name"]):
            return match[0]
        return f'{match["name"]}{match["between"]}"{HIDDEN}"'

    return _LITERAL.sub(mask, source)

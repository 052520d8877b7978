"""Detection of tokens, keys and passwords in text by the rules of detect-secrets.

A known format (a GitHub token, an AWS key, …) identifies a secret by itself. Random text, or text under a name such as
``password``, counts as a secret only by its name, since weights, hashes and identifiers are random too.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

# No format is shorter; a password in a URL may be, but its URL is not.
SHORTEST = 12
_LONGEST = 20_000  # characters of one text that are scanned

# Names outside detect-secrets' keywords, since they often name something else: only random values count.
_TOKEN_NAME = re.compile(r"(?i)(?:token|bearer|credential|auth)s?$")
_TOKEN_VALUE = re.compile(r"[A-Za-z0-9_\-.+/=]{20,}")
# Each name is matched once, from its beginning: a long word without a value must not take quadratic time.
_NAMED = re.compile(
    r"""(?<!\w)([A-Za-z_]\w{0,63})(["'\]]{0,3}[ \t]{0,9}(?::[ \t]{0,9}\w{1,64}[ \t]{0,9}=|[:=]))[ \t]{0,9}[rbuf]?"""
    r"""(["'])([^"'\n]{1,4096})\3"""
)
_SETTING = re.compile(r"[ \t]*(?:export[ \t]+)?([\w.-]{1,64})[ \t]*[:=][ \t]*([^\s#\"']{1,4096})[ \t]*")

# A name with such an ending refers to a secret's location or description, not to the secret.
_ABOUT_ONE = re.compile(
    r"(?i)_?(?:name|id|path|file|column|col|field|url|length|len|type|policy|hint|label|env|var)s?$"
)

_PLACEHOLDER = re.compile(
    r"(?i)^(?:your|my|some|the|change|insert|todo|dummy|example|test|xxx|\*{3,}|\.{3,}|none$|null$)"
)

_WORDS = re.compile(r"[a-z]+(?:_[a-z]+)*")  # the style of labels, types and columns


@dataclass(frozen=True)
class Hit:
    """A secret's kind in words, and its value, which is used for masking alone and never shown."""

    kind: str
    value: str
    is_doubtful: bool = False
    """The value may be a label: it is plain words under such a name in a mapping."""

    def __repr__(self) -> str:
        return f"Hit({self.kind})"


def secrets_in(text: str) -> list[Hit]:
    """Return the texts in a secret's format and the values under a secret's name (``api_key = "…"``)."""
    hits = formats_in(text)
    for name, between, _, value in _NAMED.findall(text):
        hits += secret_under(name, value, of_mapping=between[:1] in ("'", '"') and between.endswith(":"))
    return list(dict.fromkeys(hits))


def formats_in(text: str) -> list[Hit]:
    """Return the texts in a secret's format."""
    return list(dict.fromkeys(_formatted(text))) if len(text) >= SHORTEST else []


def settings_in(text: str) -> list[Hit]:
    """Return the secrets of a settings file, whose values need no quotes (``password: …``)."""
    hits = secrets_in(text)
    for line in text.splitlines():
        if len(line) <= _LONGEST and (match := _SETTING.fullmatch(line)):
            hits += secret_under(match[1], match[2])
    return list(dict.fromkeys(hits))


def secret_under(name: str, value: str, *, of_mapping: bool = False) -> list[Hit]:
    """Return the value as a secret if its name (a key of a dict with ``of_mapping``, an attribute) says so."""
    if not 4 <= len(value) <= 4096 or _ABOUT_ONE.search(name) or _is_harmless(name, value):
        return []
    keywords = _keywords()
    if any(True for _ in keywords.analyze_string(f'{name} = "{value}"')) and _is_one_word(value):
        return [Hit(f"a value under the name '{name}'", value, of_mapping and _WORDS.fullmatch(value) is not None)]
    if _TOKEN_NAME.search(name) and _TOKEN_VALUE.fullmatch(value) and _is_random(value):
        return [Hit(f"a random value under the name '{name}'", value)]
    return []


def any_format_in(texts: Iterable[str]) -> bool:
    """Whether any of many texts may hold a secret's format: a quick test before each is scanned."""
    joined = "\n".join(text[:_LONGEST] for text in texts)
    return any(pattern.search(joined) for _, pattern in _patterns())


def _formatted(text: str) -> Iterator[Hit]:
    for detector, pattern in _patterns():
        for match in pattern.finditer(text):
            # A format's groups are its own parts, such as a prefix; in a URL only the password is secret.
            value = match[1] if detector.secret_type in (_OF_URLS, _BEARER) else match[0]
            if _is_template(value) or (value.isalpha() and detector.secret_type not in _MAY_BE_WORDS):
                continue
            if getattr(detector, "is_formally_valid", lambda _: True)(value):
                yield Hit(_kind(detector.secret_type), _whole_key(text, match) if "PRIVATE KEY" in value else value)


def _whole_key(text: str, beginning: re.Match[str]) -> str:
    """Return a private key from its first to its last line: the format matches the first line alone."""
    end = re.search(r"END [A-Z ]*PRIVATE KEY[A-Z ]*", text[beginning.start() :])
    return text[beginning.start() : beginning.start() + end.end()] if end else text[beginning.start() :]


_OF_URLS = "Basic Auth Credentials"
_BEARER = "Bearer Token"
_MAY_BE_WORDS = (_OF_URLS, "Private Key")


def _kind(secret_type: str) -> str:
    if secret_type.endswith("Credentials"):
        return "credentials in a URL"
    article = "an" if secret_type[0] in "AEIO" else "a"
    return f"{article} {secret_type}"


# detect-secrets' modules of formats with their classes, without addresses and random text.
_FORMATS = {
    "artifactory": "Artifactory", "aws": "AWSKey", "azure_storage_key": "AzureStorageKey", "basic_auth": "BasicAuth",
    "discord": "DiscordBotToken", "github_token": "GitHubToken", "gitlab_token": "GitLabToken", "jwt": "JwtToken",
    "mailchimp": "Mailchimp", "openai": "OpenAI", "private_key": "PrivateKey", "pypi_token": "PypiToken",
    "sendgrid": "SendGrid", "slack": "Slack", "softlayer": "Softlayer", "square_oauth": "SquareOAuth",
    "stripe": "Stripe", "telegram_token": "TelegramBotToken", "twilio": "TwilioKey",
}  # fmt: skip


@dataclass(frozen=True)
class _Format:
    """A format that detect-secrets lacks or matches slowly, with the interface of its detectors."""

    secret_type: str
    denylist: tuple[re.Pattern[str], ...]
    shape: re.Pattern[str]

    def is_formally_valid(self, value: str) -> bool:
        return self.shape.fullmatch(value) is not None


_OWN_FORMATS = (
    _Format(
        "NPM token",  # detect-secrets' expression scans from each ``//`` to the end of the line
        (re.compile(r"""//[^\s"']{1,256}/:_authToken=[ \t]{0,9}(?:npm_\S{1,256}|[A-Fa-f0-9-]{36})"""),),
        re.compile(r".+"),
    ),
    # With characters that detect-secrets excludes, such as ``!``, although database libraries accept them.
    _Format(
        _OF_URLS,
        (re.compile(r"""://[^\s:/?#\[\]@"']{0,128}:([^\s/?#\[\]"']{1,256})@"""),),
        re.compile(r"(?![${%<]).+"),
    ),
    _Format(
        _BEARER,
        (re.compile(r"(?i)(?<!\w)bearer[ \t]{1,9}([\w.+/=~-]{12,4096})"),),
        re.compile(r"(?=.*\d)(?=.*[A-Za-z]).*"),
    ),
)


@cache
def _patterns() -> tuple[tuple[Any, re.Pattern[str]], ...]:
    """Return each format's detector with each of its expressions."""
    from detect_secrets import plugins

    detectors = [
        getattr(importlib.import_module(f"{plugins.__name__}.{module}"), f"{name}Detector")()
        for module, name in _FORMATS.items()
    ]
    return tuple((detector, pattern) for detector in (*detectors, *_OWN_FORMATS) for pattern in detector.denylist)


@cache
def _keywords() -> Any:
    from detect_secrets.plugins.keyword import KeywordDetector

    return KeywordDetector()


def _is_harmless(name: str, value: str) -> bool:
    """Whether the value is a placeholder or repeats its own name, as a table's columns do."""
    plain = value.strip()
    return (
        not plain
        or _PLACEHOLDER.match(plain) is not None
        or _is_template(plain)
        or plain.lower().replace("-", "_") in name.lower()
        or name.lower() in plain.lower().replace("-", "_")
        or len(set(plain)) < 4
    )


def _is_template(value: str) -> bool:
    from detect_secrets.filters import heuristic

    return bool(heuristic.is_templated_secret(value)) or (value.startswith("{") and value.endswith("}"))


def _is_one_word(value: str) -> bool:
    """Whether the value may be a password: a sentence is a label or a message, a short word a type or a column."""
    return not re.search(r"\s", value.strip()) and (not value.isalpha() or len(value) >= 8)


def _is_random(value: str) -> bool:
    from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString, HexHighEntropyString

    is_hex = re.fullmatch(r"[0-9a-fA-F]+", value) is not None
    plugin = HexHighEntropyString() if is_hex else Base64HighEntropyString(limit=3.8)
    has_both = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    return has_both and bool(plugin.calculate_shannon_entropy(value) > plugin.entropy_limit)

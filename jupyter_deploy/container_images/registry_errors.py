"""Errors of registries and programs, with message and remedy. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from jupyter_deploy.domain.errors import RegistryError
from jupyter_deploy.domain.images.images import Reference

from .programs import masked

_LOGIN = "'skopeo login {registry}' (or podman's, or docker's) notes the right ones"

_TRUST = (
    "have the CA that signed it trusted: its certificate into /etc/containers/certs.d/{registry}/ca.crt "
    "(yours alone: ~/.config/containers/certs.d/{registry}/ca.crt), or among this machine's, or SSL_CERT_FILE=… "
    "with a file that holds it"
)


@dataclass(frozen=True)
class Refusal:
    """One kind of failure.

    Attributes
    ----------
    sign
        A pattern of the programs' messages for it.
    words, remedy
        Message and remedy, with ``{registry}`` and ``{name}`` of the reference.
    passes
        Whether a retry may succeed.
    """

    sign: str
    words: str
    remedy: str
    passes: bool = False


# The first whose sign matches counts, so the special ones come before the general ones.
_REFUSALS = (
    Refusal(
        r"\b(?:open|read|write|mkdir\w*|rename|sync|stat|lstat) /[^:]+: ",
        "a file of this machine could not be read or written for {name}",
        "the last line names it: has that disk free space, and is the file yours?",
    ),
    Refusal(
        r"error getting credentials|docker-credential-\S+: executable file not found",
        "the credential helper for {registry} failed",
        "look at 'credHelpers' and 'credsStore' in your registry credentials' file: the helper must be on PATH and "
        "know {registry}",
    ),
    Refusal(
        r"proxyconnect|Proxy Authentication Required",
        "the proxy in front of {registry} does not let through",
        "look at HTTPS_PROXY and NO_PROXY",
    ),
    Refusal(
        r"server gave HTTP response to HTTPS client",
        "{registry} speaks plain HTTP, which is allowed only on this machine itself (localhost)",
        "give the registry a certificate, or put a proxy that has one in front of it",
    ),
    Refusal(
        r"x509|tls: |certificate|Client sent an HTTP request to an HTTPS server",
        "the certificate of {registry} is not trusted here, or not for this name",
        _TRUST,
    ),
    Refusal(
        r"no such host|server misbehaving|Temporary failure in name resolution",
        "{registry} cannot be found: its name is unknown here",
        "look for a spelling mistake; a name of a company's network is known only within it (VPN?)",
    ),
    Refusal(
        r"no space left|quota|insufficient storage|storage limit|exceed the configured upper limit|"
        r"\b507\b|\b413\b|too large",
        "{registry} has no space left for this image",
        "remove old images there, or ask its operator for more space",
    ),
    Refusal(
        r"toomanyrequests|too many requests|\b429\b",
        "{registry} wants fewer requests",
        "wait some minutes and repeat the command",
        passes=True,
    ),
    Refusal(
        r"authentication required|unauthorized|\b401\b|invalid username/password|incorrect username",
        "{registry} rejects you: the credentials are missing or wrong",
        _LOGIN,
    ),
    Refusal(
        r"(?<!permission )denied|forbidden|\b403\b|\b405\b|method not allowed|insufficient_scope|unsupported|read.only",
        "{registry} knows you, but you have no right to do this in {name}",
        "request the right to pull and push there, or name another destination in --to",
    ),
    Refusal(
        r"name unknown|not known to registry|manifest unknown|\b404\b",
        "{registry} has no {name}",
        "look for a spelling mistake; some registries want the repository to be made first",
    ),
    Refusal(
        r"connection refused|no route to host|network is unreachable|dial tcp|context deadline exceeded|"
        r"did not end within",
        "{registry} does not answer",
        "is the port right, and does the registry run? From behind a proxy: is HTTPS_PROXY set?",
        passes=True,
    ),
    Refusal(
        r"connection reset|\bEOF\b|broken pipe|use of closed network connection|timeout|http2: |INTERNAL_ERROR|"
        r"unexpected EOF|server closed",
        "the connection to {registry} was cut",
        "repeat the command: layers that are there are not sent again",
        passes=True,
    ),
    Refusal(
        r"unexpected HTTP status: 5\d\d|unexpected status code 5\d\d|StatusCode: 5\d\d|\b50[0234]\b",
        "{registry} has an error of its own: its storage may be full",
        "repeat the command later, or ask its operator for its log",
        passes=True,
    ),
    Refusal(
        r"manifest invalid|manifest blob unknown|digest invalid|digest did not match",
        "{registry} rejects this image as invalid",
        "build it anew; does the registry support OCI images?",
    ),
)

_OTHER = Refusal("", "the request to {registry} failed", "read the last line")


def refusal(complaints: str, reference: Reference) -> Refusal:
    """The kind of failure in a program's last message."""
    plain = without_names(complaints, reference)
    return next((refusal for refusal in _REFUSALS if re.search(refusal.sign, plain, re.IGNORECASE)), _OTHER)


def registry_error(
    complaints: str, reference: Reference, so_far: str = "", *, secrets: Iterable[str] = ()
) -> RegistryError:
    """The error for a program's message.

    Parameters
    ----------
    complaints
        Its last message.
    so_far
        The progress before the failure.
    secrets
        Further texts to mask in it.
    """
    kind = refusal(complaints, reference)
    about = {"registry": reference.registry, "name": reference.name}
    return RegistryError(
        kind.words.format(**about) + (f"; {so_far}" if so_far else ""),
        kind.remedy.format(**about),
        masked(complaints, secrets),
    )


def without_names(complaints: str, reference: Reference) -> str:
    """The message without the user's names: ``team/certificates`` does not concern a certificate."""
    plain = masked(complaints)
    names = (reference.name, reference.registry, f"/{reference.repository}", f"Name:{reference.repository}")
    for name in (*names, f"manifest {reference.tag} "):
        plain = plain.replace(name, " … ")
    return re.sub(r"[0-9a-f]{32,}", "…", plain)

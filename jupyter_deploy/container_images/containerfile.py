"""The Containerfile of an image. Pure.

Its layers have the order and the files of the daemonless builder's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jupyter_deploy.domain.images.images import BENTO_FOLDER

from .normalization import VENV

# The folders of a build's context.
TOOLS, SYSTEM, SERVING, BENTO = "tools", "system", "serving", "bento"
REQUIREMENTS, TIDY = "requirements.txt", "tidy.py"
SETTINGS, NETRC, CERTIFICATES, CONFIG = "settings", "netrc", "ca", "config"


def of_model(number: int) -> str:
    """The context's folder for a large file of the model."""
    return f"model-{number}"


@dataclass(frozen=True)
class Recipe:
    """The inputs of one image's Containerfile.

    Attributes
    ----------
    tag
        The snapshot's.
    base
        The engine's name of the base, with its digest if it is in a registry.
    origin
        The base's name for people, and its digest.
    python
        The base's interpreter.
    system
        The packages of the base's distribution that the model needs, for people; empty: none.
    count
        The number of distributions.
    no_index
        Whether wheels come from folders only.
    refreshed
        Distributions whose cached wheels are not used.
    large
        The model's large files.
    variables, command, user, port, stop, labels
        The image's configuration of its containers.
    """

    tag: str
    base: str
    origin: str
    python: str
    system: str
    count: int
    no_index: bool
    refreshed: Sequence[str]
    large: Sequence[str]
    variables: Mapping[str, str]
    command: Sequence[str]
    user: str
    port: int
    stop: str
    labels: Mapping[str, str]


def requirements(versions: Mapping[str, str], key: str) -> str:
    """A lock in uv's format. A new key makes engines install it anew."""
    lines = [f"{name}=={version}\n" for name, version in versions.items()]
    return "".join([f"# {key}\n", *lines])


def containerfile(recipe: Recipe) -> str:
    """The text; the same recipe gives the same."""
    return "\n".join(
        [_head(recipe), _base(recipe), _dependencies(recipe), _code(recipe), _image(recipe), _about(recipe)]
    )


def _head(recipe: Recipe) -> str:
    options = " ".join(f"--secret id={name},src=…" for name in (SETTINGS, NETRC, CERTIFICATES, CONFIG))
    return f"""\
# {_plain(recipe.tag)} as a container image: written by nbdeploy, which builds it with an engine:
#
#   buildah build --layers --timestamp 0 --identity-label=false --network host \\
#     {options} .
#
# The context has the copied files: {REQUIREMENTS} and {TIDY}, which are next to this file; {TOOLS}/ with the program
# uv and the folder wheels/, for distributions that no index has; and a folder for each layer, with the files of the
# image.
#
# Files with passwords, and a company's certificates, are secrets of the build, which are in no layer and in no
# history: {SETTINGS} (uv's variables as JSON, such as {{"UV_DEFAULT_INDEX": "…"}}), {NETRC}, {CERTIFICATES}
# and {CONFIG} (uv's file). Those that are not needed are left out.
"""


def _base(recipe: Recipe) -> str:
    return f"""\
# The base: {_plain(recipe.origin)}
FROM {recipe.base} AS base
"""


def _dependencies(recipe: Recipe) -> str:
    options = ["--no-index"] if recipe.no_index else []
    options += [word for name in recipe.refreshed for word in ("--refresh-package", name)]
    lines = [
        [recipe.python, "-P", f"/build/{TIDY}", "with", f"/run/secrets/{SETTINGS}"],
        [f"/build/{TOOLS}/uv", "pip", "install", "--prefix", f"/{VENV}", "--python", recipe.python],
        ["--no-deps", "--only-binary", ":all:", "--cache-dir", "/var/cache/uv", "--link-mode", "copy", "--no-progress"],
        *([options] if options else []),
        ["--requirements", f"/build/{REQUIREMENTS}"],
    ]
    command = ", \\\n     ".join(json.dumps(line)[1:-1] for line in lines)
    return f"""\
# The {recipe.count} distributions of the lock, and nothing else. As wheels only: no compiler is needed, and no code of
# theirs runs here. {TIDY} hands uv its settings; then it leaves out what differs from build to build, and compiles.
# No step needs a shell.
FROM base AS dependencies
USER 0
ENV UV_FIND_LINKS=/build/{TOOLS}/wheels
COPY {REQUIREMENTS} {TIDY} /build/
RUN --mount=type=bind,source={TOOLS},target=/build/{TOOLS} \\
    --mount=type=cache,target=/var/cache/uv \\
    --mount=type=secret,id={SETTINGS} --mount=type=secret,id={NETRC} \\
    --mount=type=secret,id={CERTIFICATES} --mount=type=secret,id={CONFIG} \\
    [{command}]
RUN ["{recipe.python}", "-P", "/build/{TIDY}", "venv", "/{VENV}"]
"""


def _code(recipe: Recipe) -> str:
    return f"""\
# The code that answers requests, compiled: a container whose files cannot be written would do it at each start.
FROM base AS code
USER 0
COPY {TIDY} /build/
COPY {SERVING}/ /code/{SERVING}/
COPY {BENTO}/ /code/{BENTO}/
RUN ["{recipe.python}", "-P", "/build/{TIDY}", "code", "{BENTO_FOLDER}", "/code/{SERVING}", "/code/{BENTO}"]
"""


def _image(recipe: Recipe) -> str:
    models = "".join(
        f"# {_plain(title)}, a file of the model\nCOPY {of_model(number)}/ /\n"
        for number, title in enumerate(recipe.large, 1)
    )
    system = f"# {_plain(recipe.system)}, unpacked\nCOPY {SYSTEM}/ /\n" if recipe.system else ""
    return f"""\
# The image. What changes most often comes last: the layers before it stay, and are not sent again.
FROM base
{system}COPY --from=dependencies /{VENV}/ /{VENV}/
{models}# the serving code
COPY --from=code /code/{SERVING}/ /
# the bento, the model's small files, and the links by which BentoML finds both
COPY --from=code /code/{BENTO}/ /
"""


def _about(recipe: Recipe) -> str:
    variables = " \\\n    ".join(f"{name}={_quoted(value)}" for name, value in recipe.variables.items())
    labels = " \\\n      ".join(f"{_quoted(name)}={_quoted(value)}" for name, value in sorted(recipe.labels.items()))
    return f"""\
# It needs no right and writes nothing.
ENV {variables}
WORKDIR /
USER {recipe.user}
EXPOSE {recipe.port}/tcp
STOPSIGNAL {recipe.stop}
ENTRYPOINT {json.dumps(list(recipe.command))}
CMD []
LABEL {labels}
"""


def _quoted(text: str) -> str:
    """A quoted word without substitutions, on one line."""
    escaped = " ".join(text.splitlines()).replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def _plain(text: str) -> str:
    """The text on one line, for a comment."""
    return " ".join(text.split())

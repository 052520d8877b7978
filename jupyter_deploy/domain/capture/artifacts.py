"""Artifacts between a notebook and a service; each names its parent by digest."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.errors import InvalidName

from .findings import Finding
from .lookups import Lookup
from .signature import Signature
from .training import TrainingData
from .translation import Translation

NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")

CODE = "code/"
"""The folder of the project's own sources in a snapshot."""

REFERENCE = "reference.json"
"""A snapshot's sketch of its training table, against which drift is measured. It is no part of the model's identity."""

CONFORMANCE = "conformance.json"
"""A translated snapshot's rows with the original's answers, for ``export``. It is no part of the model's identity."""


def checked_name(name: str) -> str:
    """Return ``name`` if it is a valid name of an endpoint.

    Raises
    ------
    InvalidName
        The name is not 1 to 63 lower-case letters, digits, ``-`` or ``_`` between letters or digits. BentoML stores
        names in lower case, so ``Tumour`` and ``tumour`` would be the same: the former is refused.
    """
    if NAME.fullmatch(name):
        return name
    proposal = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:63]
    hint = f"try '{proposal}'" if NAME.fullmatch(proposal) else "try a short word such as 'churn'"
    raise InvalidName(
        f"'{name}' cannot name an endpoint: names are 1 to 63 lower-case letters, digits, '-' or '_', "
        "with a letter or digit at both ends",
        hint,
    )


class Source(Value):
    """The origin of a model: the identity by which a re-run cell replaces its own candidate."""

    notebook: str | None = None
    variable: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether the source identifies the same model later; two scripts' ``model`` are not the same."""
        return self.notebook is not None and self.variable is not None


class Git(Value):
    """The commit of the notebook's repository.

    Attributes
    ----------
    dirty
        Whether there were uncommitted changes at the capture.
    source
        The repository's URL (of the remote *origin*), without credentials.
    """

    commit: str
    dirty: bool
    source: str | None = None


class Provenance(Value):
    """The notebook behind a snapshot at the time of capture.

    ``user``, ``captured_at``, ``distributions``, ``source.notebook``, ``git.dirty`` and ``example`` say who captured
    it, when, where and how. They are no part of the snapshot's digest, so that captures of the same model by several
    users have one.
    """

    source: Source
    language: str = Field(default="python", description="The language of the cells.")
    path: str | None = Field(
        default=None, description="The notebook's path in its repository; without a repository its file name."
    )
    license: str | None = Field(
        default=None, description="The project's license, an SPDX expression of pyproject.toml."
    )
    notebook_sha256: str | None = None
    cells: tuple[str, ...] = Field(default=(), description="Source of the executed cells, in order of execution.")
    git: Git | None = None
    distributions: dict[str, str] = Field(
        default={}, description="Exact versions of the loaded distributions, the kernel's, and their requirements."
    )
    user: str
    captured_at: datetime
    example: str | None = Field(default=None, description="The example's expression; None: it was given as an object.")
    nullable: tuple[str, ...] = Field(default=(), description="Columns of 'deploy --nullable'.")
    secrets: dict[str, str] = Field(
        default={}, description="References to the model's secrets, such as env:PROD_DB, by variable; no values."
    )
    in_cell: bool = Field(
        default=True, description="Whether the last cell deployed the model; false after a click outside the cells."
    )


def minor_of(version: str) -> str:
    """``3.11.7`` -> ``3.11``."""
    return ".".join(version.split(".")[:2])


class Environment(Value):
    """The interpreter and the exact versions of all distributions that the model needs."""

    interpreter: str = Field(description="Absolute path of the interpreter that ran the notebook.")
    python: str = Field(description="Full version, such as 3.11.7.")
    platform: str = Field(description="sysconfig's platform tag, such as linux-x86_64.")
    distributions: dict[str, str] = Field(description="Distribution name -> installed version.")
    without_bentoml: tuple[str, ...] = Field(
        default=(),
        description="The distributions by which a translation is served without BentoML; empty: it needs all.",
    )

    @property
    def in_image(self) -> Environment:
        """The environment with the distributions of an image alone."""
        if not self.without_bentoml:
            return self
        kept = {name: self.distributions[name] for name in self.without_bentoml if name in self.distributions}
        return self.model_copy(update={"distributions": kept})

    @property
    def minor(self) -> str:
        """Python's minor version, such as 3.11."""
        return minor_of(self.python)


class Packed(Value):
    """The destinations of a snapshot's packed data files when it is served, relative to the notebook's project."""

    folder: str = Field(description="The model's working directory at capture.")
    absolute: dict[str, str] = Field(description="Absolute paths of the notebook's machine -> path of the packed copy.")


class Tolerance(Value):
    """The tolerance of floating-point answers (labels and integers must be equal)."""

    float32_rtol: float = 1e-4
    float32_atol: float = 1e-6
    float64_rtol: float = 1e-9
    float64_atol: float = 1e-9


class Manifest(Value):
    """A snapshot's metadata and the SHA-256 of each of its files: ``snapshot.json``.

    ``findings``, and the parts of ``provenance`` that differ from user to user, are in ``capture.json`` next to it.
    """

    format: Literal[1] = 1
    name: str
    method: str | None = Field(description="The method for predictions; None: the object itself is called.")
    kind: str = Field(description="The object's class, such as sklearn.pipeline.Pipeline.")
    framework: str
    signature: Signature
    instances: list[Any] = Field(description="The example, as the instances of a request.")
    predictions: list[Any] = Field(description="The notebook's own answers to the example, as in a response.")
    stochastic: bool = Field(description="Two calls with the same input give different answers.")
    batchable: bool = Field(
        default=False, description="Rows of several requests in one call get the same answers as in separate calls."
    )
    tolerance: Tolerance = Tolerance()
    environment: Environment
    provenance: Provenance
    data_fingerprint: str = Field(description="SHA-256 over the example's canonical JSON.")
    features: tuple[str, ...] | None = Field(default=None, description="Names of the columns at the fit.")
    hyperparameters: dict[str, Any] = Field(default={}, description="The model's constructor parameters by name.")
    metrics: dict[str, float] = Field(default={}, description="The notebook's own metrics by the name of the variable.")
    training: TrainingData | None = Field(default=None, description="The training table, if it is known.")
    translation: Translation | None = Field(
        default=None, description="The proof of the translation that is served; None: the captured object is served."
    )
    notes: tuple[str, ...] = Field(default=(), description="Remarks for readers: switched modes, packed code.")
    findings: tuple[Finding, ...] = Field(default=(), description="The checks' findings, also the waived ones.")
    packed: Packed | None = Field(default=None, description="Set if the files include data files.")
    lookups: tuple[Lookup, ...] = Field(default=(), description="Features that are looked up by a key.")
    show_example: bool = Field(default=False, description="The service's description shows the example's rows.")
    formats: dict[str, str] = Field(
        default={"model.pkl": "cloudpickle"}, description="Format of each file of the model."
    )
    files: dict[str, str] = Field(description="Path within the snapshot -> SHA-256 of the file's bytes.")


class Snapshot(Value):
    """A captured model in the BentoML model store.

    Attributes
    ----------
    tag
        ``name:version``; the version is the fingerprint's first 12 hexadecimal digits.
    digest
        ``sha256:…`` of ``snapshot.json``, which in turn names every file by SHA-256.
    fingerprint
        SHA-256 of the content without parts that differ between captures of the same model.
    path
        The folder in the model store.
    """

    tag: str
    digest: str
    fingerprint: str
    path: str
    manifest: Manifest


class Bento(Value):
    """BentoML's package of one snapshot; it has the snapshot's tag. ``code`` is the SHA-256 of its code."""

    tag: str
    snapshot_digest: str
    path: str
    code: str = ""

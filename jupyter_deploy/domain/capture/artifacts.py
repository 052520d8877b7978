"""What is made on the way from a notebook to a service; each names its parent by digest."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.errors import InvalidName

from .findings import Finding
from .signature import Signature
from .training import TrainingData

NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")

CODE = "code/"
"""Where in a snapshot the project's own sources lie."""


def checked_name(name: str) -> str:
    """``name``, if an endpoint can have it.

    Raises
    ------
    InvalidName
        It is not 1 to 63 lower-case letters, digits, ``-`` or ``_`` between letters or digits. BentoML stores
        names in lower case, so ``Tumour`` and ``tumour`` would be one: the former is refused.
    """
    if NAME.fullmatch(name):
        return name
    mended = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:63]
    hint = f"try '{mended}'" if NAME.fullmatch(mended) else "try a short word such as 'churn'"
    raise InvalidName(
        f"'{name}' cannot name an endpoint: names are 1 to 63 lower-case letters, digits, '-' or '_', "
        "with a letter or digit at both ends",
        hint,
    )


class Source(Value):
    """Where a model came from: the identity by which a re-run cell replaces its own candidate."""

    notebook: str | None = None
    variable: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether it says enough to recognise the same model later; two scripts' ``model`` are not the same."""
        return self.notebook is not None and self.variable is not None


class Git(Value):
    commit: str
    dirty: bool


class Provenance(Value):
    """The notebook behind a snapshot, as it was at the moment of capture."""

    source: Source
    notebook_sha256: str | None = None
    cells: tuple[str, ...] = Field(default=(), description="Source of the executed cells, in order of execution.")
    git: Git | None = None
    distributions: dict[str, str] = Field(
        default={}, description="Exact versions of what the notebook had loaded, its kernel and what those require."
    )
    user: str
    captured_at: datetime
    in_cell: bool = Field(
        default=True, description="The last of the cells deployed it; else somebody clicked beside them."
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

    @property
    def minor(self) -> str:
        """Python's, such as 3.11."""
        return minor_of(self.python)


class Packed(Value):
    """Where a snapshot's packed data files go when it is served; all paths are relative to the notebook's project."""

    folder: str = Field(description="The working directory that the model was asked in.")
    absolute: dict[str, str] = Field(description="Absolute paths of the notebook's machine -> where they lead.")


class Tolerance(Value):
    """How closely floating-point answers must agree (labels and integers: exactly)."""

    float32_rtol: float = 1e-4
    float32_atol: float = 1e-6
    float64_rtol: float = 1e-9
    float64_atol: float = 1e-9


class Manifest(Value):
    """``snapshot.json``: everything about a snapshot but the bytes of its files, which it names by SHA-256."""

    format: Literal[1] = 1
    name: str
    method: str | None = Field(description="The method that answers; None: the object itself is called.")
    kind: str = Field(description="The object's class, such as sklearn.pipeline.Pipeline.")
    framework: str
    signature: Signature
    instances: list[Any] = Field(description="The example, as the instances of a request.")
    predictions: list[Any] = Field(description="The notebook's own answers on it, as in a response.")
    stochastic: bool = Field(description="The model does not agree with itself when asked twice.")
    batchable: bool = Field(
        default=False, description="Rows of several requests get in one call the answers that each gets alone."
    )
    tolerance: Tolerance = Tolerance()
    environment: Environment
    provenance: Provenance
    data_fingerprint: str = Field(description="SHA-256 over the example's canonical JSON.")
    features: tuple[str, ...] | None = Field(default=None, description="Names of the columns that it was fitted on.")
    hyperparameters: dict[str, Any] = Field(default={}, description="What it was made with, by name.")
    metrics: dict[str, float] = Field(default={}, description="The notebook's own figures, by the variable's name.")
    training: TrainingData | None = Field(
        default=None, description="The table that it was fitted on, where it is known."
    )
    notes: tuple[str, ...] = Field(default=(), description="What a reader should know: modes switched, code packed.")
    findings: tuple[Finding, ...] = Field(default=(), description="What the checks found, and what was waived.")
    packed: Packed | None = Field(default=None, description="Set if there are data files among the files.")
    formats: dict[str, str] = Field(
        default={"model.pkl": "cloudpickle"}, description="Format of each file that the model is made of."
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
        SHA-256 of the content without what differs from one capture to the next although nothing changed.
    path
        The folder in the model store.
    """

    tag: str
    digest: str
    fingerprint: str
    path: str
    manifest: Manifest


class Bento(Value):
    """BentoML's package of one snapshot; it has the snapshot's tag."""

    tag: str
    snapshot_digest: str
    path: str

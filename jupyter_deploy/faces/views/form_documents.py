"""Documents of forms: a request by hand, and the deploy of a notebook's model."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.capture.candidates import LabelledRows, ModelCandidate
from jupyter_deploy.domain.release.resources import Resources


class FormField(Value):
    """One field of the form; ``kind`` decides the control.

    Attributes
    ----------
    required
        One that is not may be left out of the instance.
    nullable
        An empty field means ``null``.
    value
        The example's; None where it has none.
    """

    name: str
    label: str
    kind: Literal["number", "integer", "text", "boolean", "choice", "json"]
    choices: tuple[Any, ...] = ()
    required: bool = True
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    help: str = ""
    value: Any = None


class Snippet(Value):
    language: Literal["curl", "python", "r", "javascript"]
    title: str
    text: str


class FormView(Value):
    """How to try an endpoint: one instance as fields, or (``fields`` empty) as JSON; and how programs call it.

    ``instance`` is the example's first one; None where the example has none.
    """

    name: str
    release: str
    url: str
    fields: tuple[FormField, ...]
    instance: Any
    snippets: tuple[Snippet, ...]


class NearbyNotebook(Value):
    """A validation notebook near the one that is open.

    ``gates``: those in its metadata. ``of``: the other notebook there that its name tells of; empty: none.
    """

    path: str
    title: str
    of: str
    gates: tuple[str, ...]
    parameters: dict[str, Any]


class LastDeploy(Value):
    """The last deploy of a notebook's model, which a form offers again.

    Attributes
    ----------
    model
        The variable.
    method
        None: the model is called.
    example
        The expression; None: unknown.
    nullable
        Columns that accept null in addition to those of the example.
    """

    release: str
    at: datetime
    model: str
    method: str | None
    example: str | None
    nullable: tuple[str, ...] = ()


class SettingsFile(Value):
    """An ``nbdeploy.yaml`` with settings that jobs read only after the user's agreement.

    Attributes
    ----------
    digest
        Of its content, to which the user agrees.
    content
        The settings that the agreement adds, as YAML; secrets are masked.
    agreed
        The user has agreed to this content.
    """

    folder: str
    path: str
    digest: str
    content: str
    agreed: bool


class NotebookContextView(Value):
    """What the dialog finds around a notebook.

    Attributes
    ----------
    name
        The endpoint of this notebook's last deploy, else a name derived from the notebook's.
    endpoints
        Existing endpoints, each with the role of a next release.
    owners
        Of those with a stable release from another notebook, its file's name.
    gates, notebooks
        The gates of nbdeploy.yaml or of the endpoint, and the validation notebooks in the same folder.
    resources
        The resources of a release by default.
    last
        The last deploy of this notebook's model; None: there is none, or its snapshot is gone.
    settings
        The folder's ``nbdeploy.yaml``; None: there is none, or it has nothing to agree to.
    """

    name: str
    endpoints: dict[str, Literal["stable", "shadow"]]
    owners: dict[str, str] = {}
    notebooks: tuple[NearbyNotebook, ...]
    gates: tuple[str, ...]
    asked: tuple[str, ...] = ()
    resources: Resources = Resources()
    last: LastDeploy | None = None
    settings: SettingsFile | None = None


class KernelReport(Value):
    """What the kernel tells of itself: the bridge's answer.

    Attributes
    ----------
    version
        nbdeploy's there.
    labelled
        Rows that models may be compared on.
    problem, remedy
        Why nothing could be deployed from here as it is, such as a setting that is wrong; empty: nothing is.
    language
        The kernel's: ``python`` or ``R``.
    """

    version: str
    interpreter: str
    pid: int
    notebook: str | None
    home: str
    models: tuple[ModelCandidate, ...]
    labelled: tuple[LabelledRows, ...] = ()
    problem: str = ""
    remedy: str = ""
    language: str = "python"


class FieldProblem(Value):
    field: str
    message: str
    remedy: str = ""
    finding: dict[str, Any] | None = Field(default=None, description="A guard's, with its cell.")


class SearchFormView(Value):
    """The columns of a table, and the problems of the typed fields."""

    columns: tuple[str, ...]
    problems: tuple[FieldProblem, ...] = ()


class DeployProblemsView(Value):
    problems: tuple[FieldProblem, ...]


class RKernelView(Value):
    """What a kernel of R needs to answer as Python's bridge does.

    Attributes
    ----------
    version, interpreter, home
        nbdeploy's, which captures for the kernel.
    scripts
        The files whose functions answer, in the order in which R reads them.
    """

    version: str
    interpreter: str
    home: str
    scripts: tuple[str, ...]


class PublishFormView(Value):
    """The form of a publication: ``to`` and ``base`` that apply if the fields are empty, and what is wrong so far.

    ``base`` is empty if there is none yet: Python's own slim image is taken then. ``settings``: as of a deploy, in the
    folder of the release's notebook.
    """

    to: str
    base: str
    problems: tuple[FieldProblem, ...] = ()
    settings: SettingsFile | None = None

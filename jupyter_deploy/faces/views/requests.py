"""What each view is asked with. In a query every value is a text, so a field takes its text form too."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from jupyter_deploy.domain.evidence.record_pages import RecordOrder
from jupyter_deploy.domain.model_selection.selection import GivenSelection
from jupyter_deploy.domain.parsing import Conditions, Moment
from jupyter_deploy.domain.requests import DeployRequest, EndpointName, IfRevision, Request


class EndpointsRequest(Request):
    """All endpoints."""


class HealthRequest(Request):
    """The broken parts of nbdeploy itself."""


class EndpointRequest(Request):
    """One endpoint."""

    name: EndpointName


def _document(given: Any) -> Any:
    return json.loads(given) if isinstance(given, str) else given


ChangeVerb = Literal["traffic", "promote", "rollback", "stop", "delete"]
"""The verbs that have a preview, since they change who answers clients."""


class PreviewRequest(Request):
    """What a change would do."""

    name: EndpointName
    verb: ChangeVerb
    given: Annotated[dict[str, Any], BeforeValidator(_document)] = Field(
        default={}, description="The verb's request without the endpoint's name."
    )
    if_revision: IfRevision = None


class FormRequest(Request):
    """How an endpoint can be asked."""

    name: EndpointName
    release: str | None = Field(default=None, description="The release (default: the stable one).")


class ValidationsRequest(Request):
    """What was validated of an endpoint."""

    name: EndpointName


class LiveRequest(Request):
    name: EndpointName
    minutes: int = Field(default=15, ge=1, le=7 * 24 * 60)


class RecordsRequest(Request):
    """``before``: the page that begins after this record, a page's ``next``. ``text`` in input, output or error."""

    name: EndpointName
    before: str | None = None
    limit: int = Field(default=100, ge=1, le=1000)
    role: Literal["stable", "canary", "shadow", "probe", "direct"] | None = None
    status: int | None = None
    release: str | None = None
    text: str = Field(default="", max_length=1000)
    where: Conditions = ()
    differs: bool = Field(default=False, description="Only requests that two releases answered differently.")
    alarmed: bool = Field(default=False, description="Only records behind a drift alarm.")
    order: RecordOrder = "newest"
    since: Moment | None = None
    until: Moment | None = None


class RecordRequest(Request):
    name: EndpointName
    key: str


class ReleaseLogRequest(Request):
    """What a release's processes printed. ``text``: only lines with it, with the lines that belong to them."""

    name: EndpointName
    release: str | None = Field(default=None, description="The release (default: the stable one).")
    text: str = Field(default="", max_length=1000)
    limit: int = Field(default=1000, ge=1, le=5000, description="The latest lines, at most this many.")


class PublishFormRequest(Request):
    """What a publication of a release needs; ``to`` and ``base`` as they are typed so far."""

    name: EndpointName
    release: str | None = None
    to: str = Field(default="", max_length=1000)
    base: str = Field(default="", max_length=1000)
    check: bool = Field(default=False, description="Check what is typed, and whether the registry answers.")


class SearchFormRequest(Request):
    """What a search for models needs; its fields as they are typed so far."""

    data: str = Field(default="", max_length=4000, description="The table's file: as the path of a notebook.")
    label_column: str = Field(default="", max_length=1000)


class DeployProblemsRequest(Request):
    """The fields of a deploy from a notebook, as they are typed so far."""

    deploy: Annotated[DeployRequest, BeforeValidator(_document)]
    notebook: str | None = Field(default=None, description="Its file, whose folder's settings apply.")


class RKernelRequest(Request):
    """What a kernel of R needs to answer the Deploy dialog."""


class ResultPageRequest(Request):
    """A verb's result as a page."""

    job: str | None = Field(default=None, description="The id of the job whose result it is.")
    verb: str | None = Field(default=None, description="Without a job: the verb that gave 'result' at once.")
    result: Annotated[Any, BeforeValidator(_document)] = Field(default=None, description="With 'verb': what it gave.")
    candidates: bool = Field(
        default=True, description="False: of a search without its table of candidates, which the widget draws itself."
    )


class CandidatesViewRequest(Request):
    """A choice among models under other constraints."""

    table: GivenSelection
    constraints: str = Field(default="", max_length=2000, description="Conditions on figures, separated by commas.")


class DrawingRequest(Request):
    """A chart for a front end without a renderer of its own."""

    spec: Annotated[dict[str, Any], BeforeValidator(_document)] = Field(
        description="A Vega-Lite specification with its width."
    )
    dark: bool = Field(default=False, description="Draw for a dark background.")


class NotebookContextRequest(Request):
    """What a deploy from a notebook finds around it."""

    path: str = Field(description="The notebook's file: an absolute path, or one relative to the server's folder.")

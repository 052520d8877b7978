"""An endpoint as a document that people write and Git keeps, and the changes that lead to it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from pydantic import Field

from jupyter_deploy.domain.base import RecordMode, Value
from jupyter_deploy.domain.batch.requests import BatchRequest
from jupyter_deploy.domain.capture.artifacts import checked_name
from jupyter_deploy.domain.errors import Conflict, InvalidInput, InvalidTraffic
from jupyter_deploy.domain.parsing import Segments, Tolerance
from jupyter_deploy.domain.requests import (
    DeployRequest,
    LabelRequest,
    PromoteRequest,
    Request,
    StopRequest,
    TrafficRequest,
)
from jupyter_deploy.domain.secret_names import HIDDEN
from jupyter_deploy.domain.secret_references import OFF, SecretOptions
from jupyter_deploy.domain.secret_references import in_words as secrets_in_words
from jupyter_deploy.domain.stream.requests import StreamRequest
from jupyter_deploy.domain.validation.validation import ValidationSpec, words_of

from .comparison_settings import NONE, ComparisonSettings
from .endpoint import Endpoint, Release
from .resources import ANY, ResourceOptions, Resources
from .serve_document import ServeDocument, batch_change, stream_change
from .status import EndpointStatus
from .traffic import check_percent


class ReleaseDocument(Value):
    """One release of an endpoint's document; a field that is left out stays as it is."""

    tag: str = Field(description="NAME:VERSION of a snapshot in the store, as 'describe' shows it.")
    image: str | None = Field(
        default=None,
        description="HOST/PATH@sha256:… of the image that it runs from; a new one without: its bento.",
    )
    label: str | None = Field(default=None, description="A name in your own words.")
    redact: tuple[str, ...] | None = Field(default=None, description="Columns whose values are never stored.")
    secrets: SecretOptions | None = Field(
        default=None, description="References by variable, such as {DB_URL: env:PROD_DB}; {}: none. Never values."
    )
    resources: ResourceOptions | None = Field(
        default=None,
        description="cpu, memory, gpu, workers, threads, idle_after, replicas; one that is left out has no limit.",
    )


class TrafficDocument(Value):
    """The roles of the releases; a release without a role is idle."""

    stable: str = Field(description="The tag of the release that answers what the canary leaves.")
    canary: dict[str, float] = Field(default={}, description="At most one TAG: PERCENT of the requests.")
    shadow: dict[str, float] = Field(default={}, description="TAG: PERCENT of the requests that it gets a copy of.")


class ComparisonDocument(Value):
    """The settings of an endpoint's comparisons; what is left out has its default."""

    tolerance: Tolerance | None = Field(default=None, description="Numbers agree within this share of stable's.")
    absolute_tolerance: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="Numbers agree within this difference too."
    )
    segments: Segments = Field(default=(), description="'region', 'age: <30, 30-60, >=60': figures by segment.")


class EndpointDocument(Value):
    """The desired state of an endpoint, the same for every target.

    ``traffic`` may be left out: then the shares stay as people and ramps set them, and a new release begins as a
    shadow.
    """

    version: Literal[1] = Field(default=1, description="The version of this format.")
    name: str = Field(description="The endpoint's name.")
    target: str = Field(default="local", description="The target that runs its releases.")
    running: bool = Field(default=True, description="False: its processes are stopped; releases and history stay.")
    record: RecordMode | None = Field(default=None, description="Data to record of each request.")
    record_sample: float | None = Field(default=None, gt=0, le=1, description="Share of the requests to record.")
    comparison: ComparisonDocument | None = Field(default=None, description="Tolerance and segments.")
    validations: tuple[ValidationSpec, ...] | None = Field(
        default=None, description="The notebooks and gates that each release must pass; paths are relative to the file."
    )
    serve: ServeDocument | None = Field(default=None, description="How it is called besides HTTP requests.")
    releases: tuple[ReleaseDocument, ...] = Field(min_length=1)
    traffic: TrafficDocument | None = None

    def model_post_init(self, _context: Any, /) -> None:
        """Check that each release is named once, and that each role has a release."""
        checked_name(self.name)
        tags = [release.tag for release in self.releases]
        twice = next((tag for tag in tags if tags.count(tag) > 1), None)
        if twice:
            raise InvalidInput(f"{self.name} has {twice} twice", "name each release once")
        for release in self.releases:
            Resources.model_validate(release.resources or {})
            if ":" not in release.tag:
                raise InvalidInput(f"'{release.tag}' is no tag", "write NAME:VERSION, as 'nbdeploy describe' shows it")
            if release.image is not None and "@sha256:" not in release.image:
                raise InvalidInput(
                    f"the image {release.image} of {release.tag} has no digest, so it may change",
                    "write HOST/PATH@sha256:…, as 'nbdeploy images' shows it",
                )
        if self.traffic is not None:
            self._require_roles(self.traffic, tags)

    def _require_roles(self, traffic: TrafficDocument, tags: list[str]) -> None:
        roles = [traffic.stable, *traffic.canary, *traffic.shadow]
        unknown = next((tag for tag in roles if tag not in tags), None)
        if unknown:
            raise InvalidTraffic(
                f"{self.name} has no release {unknown} for its traffic", f"name one of: {', '.join(tags)}"
            )
        if len(set(roles)) < len(roles):
            raise InvalidTraffic("a release has one role, and a tag is given twice", "name each release once")
        if len(traffic.canary) > 1:
            raise InvalidTraffic("there is one canary at a time", "make the others shadows")
        for tag, percent in (traffic.canary | traffic.shadow).items():
            if check_percent(percent, tag) == 0:
                raise InvalidTraffic(f"{tag} has a share of 0", "leave it out of the traffic: it is idle then")

    @property
    def first(self) -> str:
        """The tag of the release that a new endpoint begins with."""
        return self.traffic.stable if self.traffic else self.releases[0].tag


class SetValidations(Request):
    """Replace the validations of an endpoint."""

    name: str
    validations: tuple[ValidationSpec, ...]
    reason: str = ""


Step = (
    DeployRequest
    | TrafficRequest
    | PromoteRequest
    | LabelRequest
    | StopRequest
    | SetValidations
    | BatchRequest
    | StreamRequest
)


class DocumentChange(NamedTuple):
    """One request on the way to a document, and its effect in words."""

    request: Step
    words: str


def document_of(status: EndpointStatus) -> EndpointDocument:
    """Return the document of an endpoint as it is; idle releases are left out."""
    traffic = status.traffic
    canary = {traffic.canary: traffic.canary_percent} if traffic.canary else {}
    releases = {release.tag: release for release in status.releases}
    return EndpointDocument(
        name=status.name,
        target=status.target,
        running=status.running,
        record=status.record,
        record_sample=status.record_sample,
        comparison=_comparison_of(status.comparison),
        validations=status.validations,
        serve=ServeDocument(
            batch=status.batch.spec if status.batch else None, stream=status.stream.spec if status.stream else None
        ),
        releases=tuple(
            ReleaseDocument(
                tag=tag,
                image=releases[tag].image,
                label=releases[tag].label,
                redact=releases[tag].redact,
                secrets=releases[tag].secrets,
                resources=releases[tag].resources.explicit(),
            )
            for tag in traffic.tags()
        ),
        traffic=TrafficDocument(stable=traffic.stable, canary=canary, shadow=dict(traffic.shadows)),
    )


def changes_to(
    document: EndpointDocument, before: Endpoint | None, *, reason: str = "", trust: bool = False
) -> tuple[DocumentChange, ...]:
    """Return the changes that lead from an endpoint (None: there is none) to its document, in their order.

    ``trust``: releases may be of snapshots from another store.

    Each is one revision. Batches end first, since their runs cannot read each secret. Validations follow, so that they
    hold for the releases that are added; then releases, the promotion, the shares, the labels, batches, the stream.

    Raises
    ------
    Conflict
        The endpoint is on another target.
    InvalidInput
        A new release has no role in the document's traffic.
    """
    if before is not None and before.target != document.target:
        raise Conflict(
            f"{before.name} is on target {before.target}, not {document.target}", "write its target, or another name"
        )
    if not document.running:
        stops = before is not None and before.running
        stop = StopRequest(name=document.name, reason=reason)
        return (DocumentChange(stop, "stop its processes"),) if stops else ()
    changes = (
        *_validations(document, before, reason),
        *_releases(document, before, reason=reason, trust=trust),
        *_promotion(document, before, reason),
        *_shares(document, before, reason),
        *_comparison(document, before, reason),
        *_labels(document, before, reason),
        *_ways(document, before, reason),
    )
    first = BatchRequest if before is not None and before.running else ()  # a change would start what is stopped
    return tuple(sorted(changes, key=lambda one: not (isinstance(one.request, first) and one.request.stop)))


def with_stored_secrets(
    specs: Iterable[ValidationSpec], stored: Iterable[ValidationSpec]
) -> tuple[ValidationSpec, ...]:
    """Return validations whose hidden parameters have the values that the store keeps.

    Raises
    ------
    InvalidInput
        A parameter is hidden, and the endpoint has no such validation.
    """
    known = {spec.without_secrets.model_dump_json(): spec for spec in stored}
    found = []
    for spec in specs:
        hidden = [name for name, value in spec.parameters.items() if value == HIDDEN]
        same = known.get(spec.model_dump_json())
        if hidden and same is None:
            raise InvalidInput(
                f"the value of {', '.join(hidden)} for {spec.words} is hidden, and the endpoint has none for it",
                "let the notebook read the secret from its environment",
            )
        found.append(same or spec)
    return tuple(found)


def _validations(document: EndpointDocument, before: Endpoint | None, reason: str) -> Iterator[DocumentChange]:
    specs = document.validations
    if before is not None and specs is not None and specs != before.validations:
        words = f"validations: {words_of(before.validations)} → {words_of(specs)}"
        yield DocumentChange(SetValidations(name=document.name, validations=specs, reason=reason), words)


def _releases(
    document: EndpointDocument, before: Endpoint | None, *, reason: str, trust: bool
) -> Iterator[DocumentChange]:
    known = {release.tag: release for release in before.releases} if before else {}
    # A new endpoint begins with its stable release.
    for wanted in sorted(document.releases, key=lambda one: before is None and one.tag != document.first):
        release = known.get(wanted.tag)
        options = _options(wanted, release, document) | {"reason": reason, "trust": trust}
        if release is None:
            role, percent = _role(document, wanted.tag, first=before is None and wanted.tag == document.first)
            named = {"label": wanted.label or "", "role": role, "percent": percent}
            share = "" if percent is None else f" with {percent:g} %"
            shown = "stable" if before is None and wanted.tag == document.first else role
            words = f"add {wanted.tag} as {'shadow' if shown == 'auto' else shown}{share}"
            yield DocumentChange(DeployRequest(**options, **named), words)
        elif changed := list(_changed(wanted, release)):
            yield DocumentChange(DeployRequest(**options), f"{wanted.tag}: {'; '.join(changed)}")


def _options(wanted: ReleaseDocument, release: Release | None, document: EndpointDocument) -> dict[str, Any]:
    """Return the options of the deploy that adds or changes a release."""
    options: dict[str, Any] = {"name": document.name, "source": wanted.tag, "target": document.target, "keep": True}
    image = wanted.image or (release.image if release else None)
    options |= {"image": image, "record": document.record, "record_sample": document.record_sample}
    if wanted.redact is not None:
        options["redact"] = wanted.redact or ("off",)
    if wanted.secrets is not None:
        options["secret"] = wanted.secrets or OFF
    if wanted.resources is not None:
        limits = Resources.model_validate(wanted.resources).model_dump()
        options["resources"] = {name: ANY if value is None else value for name, value in limits.items()}
    return options


def _role(
    document: EndpointDocument, tag: str, *, first: bool
) -> tuple[Literal["auto", "stable", "canary", "shadow"], float | None]:
    traffic = document.traffic
    if traffic is None or first:
        return "auto", None
    if tag == traffic.stable:
        return "stable", None
    if tag in traffic.canary:
        return "canary", traffic.canary[tag]
    if tag in traffic.shadow:
        return "shadow", traffic.shadow[tag]
    raise InvalidInput(
        f"{tag} is new and has no role in the traffic of {document.name}", "give it one, or leave the release out"
    )


def _changed(wanted: ReleaseDocument, release: Release) -> Iterator[str]:
    if wanted.image not in (None, release.image):
        yield f"runs from {wanted.image}"
    if wanted.redact is not None and set(wanted.redact) != set(release.redact):
        yield f"{', '.join(wanted.redact) or 'nothing'} redacted"
    if wanted.secrets is not None and wanted.secrets != release.secrets:
        yield f"secrets: {secrets_in_words(wanted.secrets)}"
    if wanted.resources is not None and (limits := Resources.model_validate(wanted.resources)) != release.resources:
        yield limits.words or "any resources"


def _promotion(document: EndpointDocument, before: Endpoint | None, reason: str) -> Iterator[DocumentChange]:
    if before is None or document.traffic is None or document.traffic.stable == before.traffic.stable:
        return
    if any(release.tag == document.traffic.stable for release in before.releases):
        promote = PromoteRequest(name=document.name, tag=document.traffic.stable, reason=reason)
        yield DocumentChange(promote, f"{document.traffic.stable} becomes stable")


def _shares(document: EndpointDocument, before: Endpoint | None, reason: str) -> Iterator[DocumentChange]:
    """Yield the change of shares and recording; it starts a stopped endpoint too."""
    if before is None:
        return
    traffic, now = document.traffic, before.traffic
    canary: dict[str, float] = {}
    shadow: dict[str, float] = {}
    words: list[str] = []
    if traffic is not None:
        known = {release.tag for release in before.releases}
        had = {tag: (now.role_of(tag), now.percent_of(tag)) for tag in before.candidates()}
        wanted = {tag: ("canary", percent) for tag, percent in traffic.canary.items()}
        wanted |= {tag: ("shadow", percent) for tag, percent in traffic.shadow.items()}
        gone = {tag: (role, 0.0) for tag, (role, _) in had.items() if tag not in wanted and tag != traffic.stable}
        for tag, (role, percent) in (wanted | gone).items():
            if tag in known and had.get(tag) != (role, percent):
                (canary if role == "canary" else shadow)[tag] = percent
                words.append(f"{tag}: {f'{role} {percent:g} %' if percent else 'no traffic'}")
    after = before.recording(document.record, document.record_sample)
    recorded = after.recorded != before.recorded
    words += [f"records: {before.recorded} → {after.recorded}"] if recorded else []
    words += [] if before.running else ["start its processes"]
    if words:
        # A request of shares alone would be refused where a stopped endpoint only has to start.
        recording = {"record": after.record, "record_sample": after.record_sample}
        options: dict[str, Any] = recording if recorded or not before.running else {}
        request = TrafficRequest(name=document.name, shadow=shadow, canary=canary, reason=reason, **options)
        yield DocumentChange(request, "; ".join(words))


def _comparison_of(settings: ComparisonSettings) -> ComparisonDocument | None:
    if settings == ComparisonSettings():
        return None
    return ComparisonDocument(
        tolerance=settings.tolerance, absolute_tolerance=settings.absolute_tolerance, segments=settings.segments
    )


def _comparison(document: EndpointDocument, before: Endpoint | None, reason: str) -> Iterator[DocumentChange]:
    wanted = document.comparison
    if wanted and wanted.segments == (NONE,):
        wanted = wanted.model_copy(update={"segments": ()})
    now = before.comparison if before else ComparisonSettings()
    if wanted is None or wanted == (_comparison_of(now) or ComparisonDocument()):
        return
    request = TrafficRequest(
        name=document.name,
        tolerance="default" if wanted.tolerance is None else wanted.tolerance,
        absolute_tolerance="default" if wanted.absolute_tolerance is None else wanted.absolute_tolerance,
        segment=wanted.segments or (NONE,),
        reason=reason,
    )
    words = ComparisonSettings.model_validate(wanted.model_dump()).words
    yield DocumentChange(request, f"comparison: {now.words} → {words}")


def _labels(document: EndpointDocument, before: Endpoint | None, reason: str) -> Iterator[DocumentChange]:
    known = {release.tag: release.label for release in before.releases} if before else {}
    for wanted in document.releases:
        if wanted.label is not None and wanted.label != known.get(wanted.tag, wanted.label):
            request = LabelRequest(name=document.name, release=wanted.tag, label=wanted.label, reason=reason)
            yield DocumentChange(request, f"{wanted.tag} is called '{wanted.label}'" if wanted.label else "no label")


def _ways(document: EndpointDocument, before: Endpoint | None, reason: str) -> Iterator[DocumentChange]:
    for change_of in (batch_change, stream_change):
        change = change_of(document.name, document.serve, before, reason)
        if change is not None:
            yield DocumentChange(*change)

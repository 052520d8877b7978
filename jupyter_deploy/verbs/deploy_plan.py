"""The plan of a deploy: the release of a snapshot and its gates, for an endpoint at one revision."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.capture.artifacts import Bento, Snapshot
from jupyter_deploy.domain.capture.findings import has_new_findings
from jupyter_deploy.domain.errors import InvalidInput, InvalidTraffic
from jupyter_deploy.domain.model_selection.selection import Choice, ModelSelection
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.release.labels import checked_label
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.domain.validation.validated import Validated

from .build import release_of
from .difference import changes_since
from .gates.endpoint_gates import GatePlan, GateSource, gate_source, plan_gates
from .gates.enforce_gates import GateCheck, check_at_deploy
from .redaction import redacted_columns
from .release_secrets import references_for, require_schedulable, with_references


@dataclass(frozen=True)
class Plan:
    """The release of a snapshot and its gates. It is computed once, and again only if the revision moved.

    Attributes
    ----------
    before
        The endpoint at the revision that the plan is for; None: the deploy creates the endpoint.
    release
        The release with its resources, redacted columns and findings. Its bento may not be built yet.
    gates
        The validations that the deploy gives to the endpoint.
    check
        The gates that the release has to pass before it is added.
    """

    request: DeployRequest
    before: Endpoint | None
    snapshot: Snapshot
    release: Release
    gates: GateSource
    check: GateCheck

    @property
    def name(self) -> str:
        """The endpoint's name."""
        return self.release.endpoint

    def checks_as(self, other: Plan) -> bool:
        """Whether both plans enforce the same gates, so that a result for the other one counts for this one."""
        mine, others = self.check, other.check
        return (mine.keys, mine.enforced.specs, mine.endpoint is None) == (
            others.keys,
            others.enforced.specs,
            others.endpoint is None,
        )

    def next_endpoint(self, bento: Bento | None, validated: Validated | None, keep_revisions: int) -> Endpoint:
        """Return the endpoint's next revision, with the release.

        Parameters
        ----------
        bento
            The release's bento; None: the release runs from an image.
        validated
            The result of the gates; None: there was nothing to check.
        """
        built = {"path": bento.path, "code": bento.code} if bento else {}
        release = self.release.model_copy(update={**built, "created_at": now()})
        if self.before is not None:
            release = with_running_bento(release, self.before, keep_revisions)
        after = next_endpoint(self.request, self.before, release)
        return after.validating(self.gates.specs, self.gates.file).validated(release.tag, validated)

    @property
    def is_in_force(self) -> bool:
        """Whether the endpoint has exactly this release and these gates already, so that the deploy changes nothing."""
        if self.before is None or not self.before.running or not self._keeps_traffic(self.before):
            return False
        known = self.before.release(self.release.tag)
        if _essence(known) != _essence(self.release) or has_new_findings(self.release.findings, known.findings):
            return False
        check = self.check
        return check.upcoming.specs == self.before.validations and (
            not check.planned or check.matches(known.validation)
        )

    def needs_image(self, ports: Ports) -> bool:
        """Whether the release has to be published first: its target runs images only."""
        return self.release.image is None and ports.targets[self.request.target].needs_image

    def _keeps_traffic(self, before: Endpoint) -> bool:
        """Whether the release has the requested role and share already, and the endpoint records as requested."""
        request, role = self.request, before.traffic.role_of(self.release.tag)
        return (
            role != "idle"
            and request.role in ("auto", role)
            and request.percent in (None, before.traffic.percent_of(self.release.tag))
            and before.recording(request.record, request.record_sample) == before
        )


def plan_deploy(
    request: DeployRequest,
    name: str,
    before: Endpoint | None,
    snapshot: Snapshot,
    ports: Ports,
    *,
    gates: GateSource | None = None,
) -> Plan:
    """Compute the plan for a snapshot and the endpoint at its present revision (None: there is no endpoint yet).

    ``gates``: the endpoint's validations from then on, in place of the request's.

    Raises
    ------
    InvalidInput
        The request's table of candidates has no row of the snapshot, or the endpoint's batches by schedule could not
        read a secret of the release.
    """
    redact = redacted_columns(request, before, snapshot, ports)
    source, upcoming = plan_deploy_gates(request, name, before, ports, gates)
    image = request.image or _present_image(request, before, snapshot, ports)
    release = release_of(snapshot, name, resources_for(request, before, ports), image)
    label = checked_label(request.label)
    secrets = references_for(request, before, ports, snapshot)
    release = release.model_copy(update={"redact": redact, "label": label, "secrets": secrets})
    after = next_endpoint(request, before, release)
    require_schedulable(after)
    proved = with_references(snapshot, secrets)
    check = check_at_deploy(request, upcoming, before, after, name=name, snapshot=proved, ports=ports)
    if before is not None:
        known = next((one for one in before.releases if one.tag == release.tag), None)
        kept = {"validation": known.validation, "choice": known.choice} if known else {}
        former = {**kept, "label": label or known.label} if known else {}
        release = release.model_copy(update={"changes": changes_since(before, snapshot, ports), **former})
    if request.choice is not None:
        release = release.model_copy(update={"choice": _choice(request.choice, snapshot)})
    return Plan(request, before, snapshot, release, source, check)


def _choice(table: ModelSelection, snapshot: Snapshot) -> Choice:
    """Return the choice that led to the snapshot."""
    row = table.row(snapshot.tag)
    if row is None:
        tags = ", ".join(one.tag for one in table.candidates)
        raise InvalidInput(f"the table of candidates has no row of {snapshot.tag}", f"deploy one of: {tags}")
    return table.choice(row)


def _present_image(request: DeployRequest, before: Endpoint | None, snapshot: Snapshot, ports: Ports) -> str | None:
    """Return the image from which the endpoint runs this snapshot already, on a target that runs images only."""
    if before is None or not ports.targets[request.target].needs_image:
        return None
    same = (one for one in before.releases if (one.tag, one.digest) == (snapshot.tag, snapshot.digest))
    return next((one.image for one in same), None)


def plan_deploy_gates(
    request: DeployRequest, name: str, before: Endpoint | None, ports: Ports, gates: GateSource | None = None
) -> tuple[GateSource, GatePlan]:
    """Plan the gates of a deploy: the given ones, else its own, else the endpoint's."""
    source = gates or gate_source(request, name, before, ports)
    specs = source.specs if source.specs is not None else before.validations if before else ()
    return source, plan_gates(specs, ports)


def resources_for(request: DeployRequest, before: Endpoint | None, ports: Ports) -> Resources:
    """Return the resources of the release: the requested ones, else the settings', else the stable release's."""
    known = before.release(before.traffic.stable).resources if before else Resources()
    return known.overridden(ports.resources.explicit()).overridden(request.resources)


def next_endpoint(request: DeployRequest, before: Endpoint | None, release: Release) -> Endpoint:
    """Return the endpoint's next revision, with the release in the requested role.

    Raises
    ------
    InvalidTraffic
        The release is stable already and cannot have the requested role.
    """
    if before is None:
        return Endpoint.first(release, request.target).recording(request.record, request.record_sample)
    role = before.traffic.role_of(release.tag)
    if role == "stable" and request.role not in ("auto", "stable"):
        raise InvalidTraffic(
            f"{release.tag} is stable: it gets what the canary leaves", "deploy or promote another release first"
        )
    if role != "idle" and request.role in ("auto", role) and request.percent is None:
        # The endpoint was stopped, the files were stored again, a finding was waived, or the mode of recording
        # changes: the release of the same model keeps its age.
        known = before.release(release.tag)
        if known.digest == release.digest:
            release = release.model_copy(update={"created_at": known.created_at})
        return before.with_renewed(release).recording(request.record, request.record_sample)
    after = before.with_release(release, role=request.role, percent=request.percent, keep=request.keep)
    return after.recording(request.record, request.record_sample)


def with_running_bento(release: Release, before: Endpoint, keep_revisions: int) -> Release:
    """Return the release with the bento that its processes run from; processes that start later use a newer one."""
    same = (release.tag, release.digest, release.image)
    running = before.releases_to_run(keep_revisions)
    known = next((one for one in running if (one.tag, one.digest, one.image) == same), release)
    if known.path == release.path:
        return release
    return release.model_copy(update={"path": known.path, "code": known.code})


def _essence(release: Release) -> tuple[object, ...]:
    """The parts of a release that make it another one if they differ."""
    return (
        *(release.digest, release.redact, release.resources, release.image, release.label, release.choice),
        tuple(release.secrets.items()),
    )

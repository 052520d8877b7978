"""Enforces gates before a release is added and before it answers clients: ``deploy``, ``traffic``, ``promote``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.errors import (
    GateFailed,
    GateInconclusive,
    InvalidInput,
    StoreError,
    disk_faults,
)
from jupyter_deploy.domain.gates.figures import LIVE, needs_pairs
from jupyter_deploy.domain.gates.parser import parse_gate
from jupyter_deploy.domain.images.requests import PublishRequest
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.requests import (
    DeployRequest,
    PromoteRequest,
    Step,
    TrafficRequest,
)
from jupyter_deploy.domain.validation.validated import Validated, in_short, lines_of
from jupyter_deploy.domain.validation.validation import GateResult, Run, Validation
from jupyter_deploy.verbs.capture import load_release
from jupyter_deploy.verbs.command_line import retyped
from jupyter_deploy.verbs.recorded_requests import with_recorded
from jupyter_deploy.verbs.release_secrets import with_references
from jupyter_deploy.verbs.run_plan import Planned
from jupyter_deploy.verbs.validation import run_all
from jupyter_deploy.verbs.validation_runs import Candidate, RunOptions

from .endpoint_gates import GatePlan, dropped_specs, plan_gates
from .live_gates import judge_all_live

_HISTORY = 50  # validations of the endpoint whose results may be used again

# Options that a second deploy of the stored snapshot leaves out: they describe its capture, or force it.
_CAPTURED = (
    "source",
    "model",
    "method",
    "example",
    "signature",
    "training",
    "include",
    "show_example",
    "isolated",
    "force",
    "reason",
)


@dataclass(frozen=True)
class GateCheck:
    """The gates that a release has to pass now.

    Attributes
    ----------
    enforced
        The gates of this check: the upcoming ones, and those that a deploy would drop to get past them.
    upcoming
        The endpoint's gates from this change on.
    endpoint
        The endpoint with the live traffic to compare on; None: live traffic is not judged now.
    remedy
        The remedy of the refusal.
    forced
        The reason of ``--force``; None: a release that does not pass is refused.
    own_stable
        The release is stable already and has no other release to compare with: compared with itself, even the best
        model leaves a gate on stable undecided.
    first
        The release is the first of its endpoint.
    """

    name: str
    tag: str
    candidate: Candidate
    planned: tuple[Planned, ...]
    enforced: GatePlan
    upcoming: GatePlan
    trigger: Literal["deploy", "traffic", "promote"]
    endpoint: Endpoint | None = None
    remedy: str = ""
    forced: str | None = None
    own_stable: bool = False
    first: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        return keys_of(self.planned)

    @property
    def keys_alone(self) -> tuple[str, ...]:
        """The keys that the same runs have after the release became stable."""
        return keys_of(self.upcoming.planned(replace(self.candidate, stable=None)))

    @property
    def keys_kept(self) -> tuple[str, ...]:
        """The keys of runs that belong to the upcoming gates."""
        known = set(keys_of(self.upcoming.planned(self.candidate)))
        return tuple(key for key in self.keys if key in known)

    @property
    def waiting(self) -> tuple[str, ...]:
        """The gates that cannot be judged yet, each with the condition that it waits for."""
        judged = {gate.expression for one in self.upcoming.planned(self.candidate) for gate, _ in one.gates}
        gates = [gate.expression for one in self.upcoming.runs for gate, _ in one.gates]
        later = ", ".join(dict.fromkeys(gate for gate in gates if gate not in judged))
        names = [one.notebook.path.name for one in self.upcoming.runs if one.traffic and self.first]
        return (
            *([f"{later}: from the next release on, compared with stable"] if later else []),
            *(f"{name}: from the next release on, on recorded requests" for name in names),
        )

    def matches(self, known: Validated | None) -> bool:
        """Whether a stored result covers exactly the runs of this check."""
        if self.own_stable:
            return self.keys == (known.keys_alone if known else ())
        return self.keys == (known.keys if known else ())


def require_reason(request: DeployRequest | TrafficRequest | PromoteRequest | PublishRequest) -> None:
    """Raise InvalidInput if ``--force`` has no reason."""
    if request.force and not request.reason.strip():
        raise InvalidInput("--force needs --reason; the reason is stored", 'add one: --reason "…"')


def enforce_for_change(
    request: TrafficRequest | PromoteRequest, before: Endpoint, after: Endpoint, ports: Ports, report: Report
) -> tuple[Endpoint, Validated | None]:
    """Enforce the gates for the release that gains clients; return ``after`` with the result (None: no gates).

    Raises
    ------
    GateFailed, GateInconclusive
        The release does not pass, and the request does not say ``--force``.
    """
    require_reason(request)
    tag = before.gaining(after)
    if tag is None or not after.validations:
        return after, None
    enforced = plan_gates(after.validations, ports)
    validated = _enforce(request, before, tag, enforced, ports=ports, report=report, live=before)
    return after.validated(tag, validated), validated


def enforce_for_ramp(
    request: TrafficRequest, endpoint: Endpoint, tag: str, ports: Ports, report: Report, *, live: bool
) -> Validated | None:
    """Enforce the gates of a release before others give it clients; ``live``: also those on live traffic.

    Raises
    ------
    GateFailed, GateInconclusive
        The release does not pass.
    """
    gates = plan_gates(endpoint.validations, ports)
    return _enforce(request, endpoint, tag, gates, ports=ports, report=report, live=endpoint if live else None)


def _enforce(
    request: TrafficRequest | PromoteRequest,
    before: Endpoint,
    tag: str,
    enforced: GatePlan,
    *,
    ports: Ports,
    report: Report,
    live: Endpoint | None,
) -> Validated | None:
    """Enforce gates for a release of the endpoint; ``live``: see ``GateCheck.endpoint``."""
    verb = "promote" if isinstance(request, PromoteRequest) else "traffic"
    head = ("nbdeploy", verb, before.name, *([tag] if verb == "promote" else []))
    words, _ = retyped(request, *head, leave_out=("name", "tag", "force", "reason"))
    snapshot = _snapshot(before.release(tag), ports) if enforced.runs else ports.store.remembered(tag)
    candidate = Candidate(snapshot, before.name, _stable(before, enforced, ports))
    check = GateCheck(
        before.name,
        tag,
        candidate,
        enforced.planned(candidate),
        enforced,
        enforced,
        "promote" if verb == "promote" else "traffic",
        endpoint=live,
        remedy=f"""'{words} --force --reason "…"' does it all the same""",
        forced=request.reason if request.force else None,
    )
    return enforce(check, ports, report, lambda: report(Step(number=1, total=2, title=f"validating {tag}")))


def check_at_deploy(
    request: DeployRequest,
    upcoming: GatePlan,
    before: Endpoint | None,
    after: Endpoint,
    *,
    name: str,
    snapshot: Snapshot,
    ports: Ports,
) -> GateCheck:
    """The check of a snapshot before its bento is built; gates on live traffic wait until it answers clients.

    A release that gains clients has to pass the endpoint's former gates too, so that nobody names others to avoid them.
    """
    live = before if before is not None and before.gaining(after) == snapshot.tag else None
    enforced = upcoming.joined(plan_gates(dropped_specs(live, upcoming.specs), ports)) if live else upcoming
    own_stable = before is not None and before.traffic.stable == snapshot.tag
    candidate = Candidate(snapshot, name, None if own_stable else _stable(before, enforced, ports))
    # There are no recorded requests before the first release.
    planned = tuple(one for one in enforced.planned(candidate) if before is not None or one.traffic is None)
    known = before.release(snapshot.tag).validation if before and own_stable else None
    if known and known.verdict == "pass" and all(p.key for p in planned) and keys_of(planned) == known.keys_alone:
        planned = ()  # it passed, perhaps compared with an earlier stable release
    return GateCheck(
        name,
        snapshot.tag,
        candidate,
        planned,
        enforced,
        upcoming,
        "deploy",
        endpoint=live,
        remedy=_forcing(request, name, snapshot.tag),
        forced=request.reason if request.force else None,
        own_stable=own_stable,
        first=before is None,
    )


def keys_of(planned: Iterable[Planned]) -> tuple[str, ...]:
    """The keys of the runs, without those that have none."""
    return tuple(sorted(one.key for one in planned if one.key))


def enforce(check: GateCheck, ports: Ports, report: Report, begins: Callable[[], None]) -> Validated | None:
    """Run and judge a check; None: it has no gates, or none yet. ``begins`` is called before slow work.

    A stored result of a notebook is used again if it passed and nothing that it depends on has changed. With
    ``--force`` any stored result is used, since it decides nothing.

    Raises
    ------
    GateFailed, GateInconclusive
        The release does not pass, and the check is not forced.
    """
    if not check.planned and not check.enforced.missing and not (check.endpoint and check.enforced.live):
        return None
    past = ports.store.validations(endpoint=check.name, limit=_HISTORY)
    known = _known(past, check)
    fresh = [planned for planned in check.planned if planned.key not in known]
    live = judge_all_live(check.enforced.live, check.endpoint, check.tag, past, ports) if check.endpoint else ()
    runs = [*check.enforced.missing, *(known[planned.key] for planned in check.planned if planned.key in known)]
    whole = None if fresh or live or check.enforced.missing else _whole(past, check)
    if whole is None:
        with _recorded(fresh, check, ports) as (runnable, waiting):
            live = (*live, *waiting)
            if not (runnable or runs or live):
                return None
            if runnable:
                begins()
            options = RunOptions(trigger=check.trigger, runs=runs, live=live)
            whole = run_all(runnable, check.candidate, options, ports, report)
    if whole.verdict != "pass":
        if check.forced is None:
            raise _refusal(check, whole)
        whole = whole.model_copy(update={"forced": check.forced})
    return in_short(whole, check.keys_kept, check.keys_alone)


def keep_forced(name: str, validated: Validated | None, ports: Ports) -> None:
    """Store the reason of ``--force`` with the validation, after the change was made.

    The release and the history have the reason by then, so a failed write undoes nothing.
    """
    if validated is None or validated.forced is None:
        return
    with contextlib.suppress(StoreError), disk_faults():
        for validation in ports.store.validations(endpoint=name, limit=_HISTORY):
            if validation.id == validated.id:
                ports.store.keep_validation(validation.model_copy(update={"forced": validated.forced}))


def _stable(endpoint: Endpoint | None, enforced: GatePlan, ports: Ports) -> Snapshot | None:
    """The snapshot of the stable release; None: there is none, or no gate needs it."""
    if endpoint is None or not (enforced.runs or enforced.live):
        return None
    tag = endpoint.traffic.stable
    return _snapshot(endpoint.release(tag), ports) if enforced.runs else ports.store.remembered(tag)


def _snapshot(release: Release, ports: Ports) -> Snapshot:
    """The snapshot by the store's memory; the process that serves it verifies its digest."""
    known = ports.store.remembered(release.tag)
    if known and Path(known.path).is_dir():
        return with_references(known, release.secrets)
    return load_release(release, ports)


def in_words(tag: str, validated: Validated | None) -> tuple[str, ...]:
    """The result of the gates, in words for the history."""
    return (f"{tag}: {validated.words}",) if validated else ()


@contextmanager
def _recorded(
    fresh: Sequence[Planned], check: GateCheck, ports: Ports
) -> Iterator[tuple[Sequence[Planned], tuple[GateResult, ...]]]:
    """Within, the runs with their recorded requests, and undecided results for runs without any requests yet.

    A release that answers no clients yet does not wait for requests.
    """
    with contextlib.ExitStack() as files:
        runnable = [one for one in fresh if not one.traffic]
        waiting: tuple[GateResult, ...] = ()
        try:
            runnable = files.enter_context(with_recorded(fresh, None, None, check.name, ports))
        except InvalidInput as error:
            undecided_runs = [] if check.endpoint is None else [one for one in fresh if one.traffic]
            waiting = tuple(_without_requests(one, error.message) for one in undecided_runs)
        yield runnable, waiting


def _without_requests(planned: Planned, why: str) -> GateResult:
    name = planned.notebook.path.name
    sentence = f"{name}: inconclusive, {why}"
    return GateResult(expression=name, origin=LIVE, verdict="inconclusive", sentence=sentence)


def _known(past: Iterable[Validation], check: GateCheck) -> dict[str, Run]:
    """The runs that can be used again, by key."""
    runs: dict[str, Run] = {}
    for run in (run for validation in past for run in validation.runs):
        if run.key in check.keys and run.status == "done" and (run.verdict == "pass" or check.forced is not None):
            runs.setdefault(run.key, run)
    return runs


def _whole(past: Iterable[Validation], check: GateCheck) -> Validation | None:
    """The stored validation that has exactly the runs of the check; None: there is none."""
    for validation in past:
        same = tuple(sorted(run.key for run in validation.runs)) == check.keys and not validation.live
        if same and (validation.verdict == "pass" or check.forced is not None):
            return validation
    return None


def _refusal(check: GateCheck, validation: Validation) -> GateFailed:
    """The error of a refusal: its first reason, the number of others, and the report."""
    against = [line for line in lines_of(validation) if line.verdict != "pass"]
    more = f" (and {len(against) - 1} more)" if len(against) > 1 else ""
    message = " ".join(f"{check.tag} is refused: {against[0].sentence}{more}".split())
    kind = GateFailed if validation.verdict == "fail" else GateInconclusive
    wait = f"{_wait(check, validation)}; " if validation.verdict == "inconclusive" and validation.live else ""
    report = validation.report or ""
    return kind(message, wait + check.remedy, f"  report: {Path(report).as_uri()}" if report else "", report=report)


def _wait(check: GateCheck, validation: Validation) -> str:
    """The step that decides a gate on live traffic."""
    endpoint, tag = check.endpoint, check.tag
    role = endpoint.traffic.role_of(tag) if endpoint else "shadow"
    open_ = {gate.expression for gate in validation.live if gate.verdict == "inconclusive"}
    figures = [parse_gate(expression) for expression in check.enforced.live if expression in open_]
    if endpoint is None or not any(role == "idle" or (role == "canary" and needs_pairs(gate)) for gate in figures):
        return "more requests may decide it"
    if tag not in {release.tag for release in endpoint.releases}:
        return "deploy it without --role first: it starts as a shadow"
    return f"make it a shadow first: 'nbdeploy traffic {check.name} --shadow {tag}=100'"


def _forcing(request: DeployRequest, name: str, tag: str) -> str:
    """The remedy of a refused deploy: the command that deploys the stored snapshot by force."""
    named = ("name",) if name == tag.partition(":")[0] else ()
    words, secrets = retyped(
        request.model_copy(update={"name": name}), "nbdeploy", "deploy", tag, leave_out=(*_CAPTURED, *named, "choice")
    )
    again = f" (type {secrets} again)" if secrets else ""
    table = ""
    if request.choice is not None:  # a document of many lines
        words, table = f"{words} --choice @table.json", "; table.json is the table that 'candidates' gave (-o json)"
    return f"""its snapshot is stored; to deploy it all the same{again}: {words} --force --reason "…"{table}"""

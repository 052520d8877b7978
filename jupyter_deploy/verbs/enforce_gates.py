"""What must hold of a release before it comes and before it answers clients: ``deploy``, ``traffic``, ``promote``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.errors import (
    DeployError,
    GateFailed,
    GateInconclusive,
    InvalidInput,
    StoreError,
    disk_faults,
)
from jupyter_deploy.domain.evidence.inference import Comparison
from jupyter_deploy.domain.gates.figures import LIVE, dated, judge_live, needs_pairs, undecided
from jupyter_deploy.domain.gates.gate import Gate
from jupyter_deploy.domain.gates.parser import parse_gate
from jupyter_deploy.domain.images.requests import PublishRequest
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import (
    CompareRequest,
    DeployRequest,
    PromoteRequest,
    Step,
    TrafficRequest,
)
from jupyter_deploy.domain.validation.validated import Validated, in_short, lines_of
from jupyter_deploy.domain.validation.validation import GateResult, Run, Validation

from .capture import stored
from .command_line import retyped
from .endpoint_gates import Wanted, former, read
from .observe import compare
from .recorded_requests import with_recorded
from .run_plan import Planned
from .validation import run_all
from .validation_runs import How, Subject

_LOOKED_BACK = 50  # validations of the endpoint among which one is looked for that holds still


# What says how a snapshot is made, which it is by then; and what is said anew of who insists.
_CAPTURED = ("source", "model", "method", "example", "signature", "training", "include", "isolated", "force", "reason")


@dataclass(frozen=True)
class Asked:
    """What is to hold of one release now.

    ``endpoint`` is the endpoint on whose live traffic it is compared with stable (None: not now); ``remedy`` what is
    said to who is refused; ``forced`` why it is to be done all the same. ``asks`` is what the endpoint asks from then
    on; ``wanted`` has beside it what a deploy that names other gates would get past.
    ``own_stable``: it is stable already, so there is nothing to compare it with: beside itself even the very best model
    would leave a gate on stable undecided. ``first``: of its endpoint.
    """

    name: str
    tag: str
    subject: Subject
    planned: tuple[Planned, ...]
    wanted: Wanted
    asks: Wanted
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
        """The keys that the same will have once the release is stable itself."""
        return keys_of(self.asks.planned(replace(self.subject, stable=None)))

    @property
    def keys_kept(self) -> tuple[str, ...]:
        """Of the runs that are asked for from now on."""
        known = set(keys_of(self.asks.planned(self.subject)))
        return tuple(key for key in self.keys if key in known)

    @property
    def waiting(self) -> tuple[str, ...]:
        """What cannot be asked of the release yet, and what it waits for."""
        judged = {gate.expression for one in self.asks.planned(self.subject) for gate, _ in one.gates}
        gates = [gate.expression for one in self.asks.runs for gate, _ in one.gates]
        beside = ", ".join(dict.fromkeys(gate for gate in gates if gate not in judged))
        given = [one.notebook.path.name for one in self.asks.runs if one.traffic and self.first]
        return (
            *([f"{beside}: from the next release on, beside stable"] if beside else []),
            *(f"{name}: from the next release on, on recorded requests" for name in given),
        )

    def found_in(self, known: Validated | None) -> bool:
        """Whether what is known of the release was found of all that is asked now, and of nothing else."""
        if self.own_stable:
            return self.keys == (known.keys_alone if known else ())
        return self.keys == (known.keys if known else ())


def require_reason(request: DeployRequest | TrafficRequest | PromoteRequest | PublishRequest) -> None:
    """Raise InvalidInput for a ``--force`` without a reason."""
    if request.force and not request.reason.strip():
        raise InvalidInput("gates are passed over for a reason, which is kept", 'add one: --reason "…"')


def gated(
    request: TrafficRequest | PromoteRequest, before: Endpoint, after: Endpoint, ports: Ports, report: Report
) -> tuple[Endpoint, Validated | None]:
    """``after``, with what was found of the release that answers more clients in it; None: nothing was asked of it.

    Raises
    ------
    GateFailed, GateInconclusive
        What the endpoint asks of its releases does not hold, and the request does not say --force.
    """
    require_reason(request)
    tag = before.gaining(after)
    if tag is None or not after.validations:
        return after, None
    wanted = read(after.validations, ports)
    verb = "promote" if isinstance(request, PromoteRequest) else "traffic"
    head = ("nbdeploy", verb, before.name, *([tag] if verb == "promote" else []))
    words, _ = retyped(request, *head, leave_out=("name", "tag", "force", "reason"))
    snapshot = _snapshot(tag, ports) if wanted.runs else ports.store.remembered(tag)
    subject = Subject(snapshot, before.name, _stable(before, wanted, ports))
    asked = Asked(
        before.name,
        tag,
        subject,
        wanted.planned(subject),
        wanted,
        wanted,
        "promote" if verb == "promote" else "traffic",
        endpoint=before,
        remedy=f"""'{words} --force --reason "…"' does it all the same""",
        forced=request.reason if request.force else None,
    )
    validated = hold(asked, ports, report, lambda: report(Step(number=1, total=2, title=f"validating {tag}")))
    return after.validated(tag, validated), validated


def at_deploy(
    request: DeployRequest,
    asks: Wanted,
    before: Endpoint | None,
    after: Endpoint,
    *,
    name: str,
    snapshot: Snapshot,
    ports: Ports,
) -> Asked:
    """What is to hold of a snapshot before it is built. Gates on live traffic wait until it is to answer clients.

    A release that gains clients is asked what the endpoint asked until now too: nobody names other gates to get past.
    """
    live = before if before is not None and before.gaining(after) == snapshot.tag else None
    wanted = asks.with_former(read(former(live, asks.specs), ports)) if live else asks
    own_stable = before is not None and before.traffic.stable == snapshot.tag
    subject = Subject(snapshot, name, None if own_stable else _stable(before, wanted, ports))
    # A first release has had no requests that a notebook could be given.
    planned = tuple(one for one in wanted.planned(subject) if before is not None or one.traffic is None)
    known = before.release(snapshot.tag).validation if before and own_stable else None
    if known and known.verdict == "pass" and all(p.key for p in planned) and keys_of(planned) == known.keys_alone:
        planned = ()  # it held, be it beside the stable release of that time
    return Asked(
        name,
        snapshot.tag,
        subject,
        planned,
        wanted,
        asks,
        "deploy",
        endpoint=live,
        remedy=_forcing(request, name, snapshot.tag),
        forced=request.reason if request.force else None,
        own_stable=own_stable,
        first=before is None,
    )


def keys_of(planned: Iterable[Planned]) -> tuple[str, ...]:
    """The keys of those runs that have one."""
    return tuple(sorted(one.key for one in planned if one.key))


def hold(asked: Asked, ports: Ports, report: Report, begins: Callable[[], None]) -> Validated | None:
    """Run and judge what is asked of a release; None: nothing is, or nothing yet. ``begins`` is told of slow work.

    What a notebook found before is used again, if it held and nothing that it depends on has changed since; with
    --force whatever it found, since that decides nothing.

    Raises
    ------
    GateFailed, GateInconclusive
        It does not hold, and is not to be done all the same.
    """
    if not asked.planned and not asked.wanted.missing and not (asked.endpoint and asked.wanted.live):
        return None
    past = ports.store.validations(endpoint=asked.name, limit=_LOOKED_BACK)
    known = _known(past, asked)
    fresh = [planned for planned in asked.planned if planned.key not in known]
    live = _judged_live(asked, past, ports) if asked.endpoint else ()
    runs = [*asked.wanted.missing, *(known[planned.key] for planned in asked.planned if planned.key in known)]
    whole = None if fresh or live or asked.wanted.missing else _whole(past, asked)
    if whole is None:
        with _recorded(fresh, asked, ports) as (given, waiting):
            live = (*live, *waiting)
            if not (given or runs or live):
                return None
            if given:
                begins()
            how = How(trigger=asked.trigger, runs=runs, live=live)
            whole = run_all(given, asked.subject, how, ports, report)
    if whole.verdict != "pass":
        if asked.forced is None:
            raise _refusal(asked, whole)
        whole = whole.model_copy(update={"forced": asked.forced})
    return in_short(whole, asked.keys_kept, asked.keys_alone)


def keep_forced(name: str, validated: Validated | None, ports: Ports) -> None:
    """Write with a validation that what it spoke against was done all the same; to be called once it was.

    The release and the history have it by then: a store that cannot be written undoes nothing.
    """
    if validated is None or validated.forced is None:
        return
    with contextlib.suppress(StoreError), disk_faults():
        for validation in ports.store.validations(endpoint=name, limit=_LOOKED_BACK):
            if validation.id == validated.id:
                ports.store.keep_validation(validation.model_copy(update={"forced": validated.forced}))


def _stable(endpoint: Endpoint | None, wanted: Wanted, ports: Ports) -> Snapshot | None:
    """The snapshot that a candidate is compared with; None: there is none, or nothing looks at it."""
    if endpoint is None or not (wanted.runs or wanted.live):
        return None
    tag = endpoint.traffic.stable
    return _snapshot(tag, ports) if wanted.runs else ports.store.remembered(tag)


def _snapshot(tag: str, ports: Ports) -> Snapshot:
    """As the store remembers it. Who serves it verifies its digest."""
    known = ports.store.remembered(tag)
    return known if known and Path(known.path).is_dir() else stored(tag, trust=False, ports=ports)


def in_words(tag: str, validated: Validated | None) -> tuple[str, ...]:
    """What a change was gated by, for the history."""
    return (f"{tag}: {validated.words}",) if validated else ()


@contextmanager
def _recorded(
    fresh: Sequence[Planned], asked: Asked, ports: Ports
) -> Iterator[tuple[Sequence[Planned], tuple[GateResult, ...]]]:
    """Within, the runs with the recorded requests that they want; where there are none yet, what that leaves undecided.

    Before it is to answer clients, a release is not held up for want of requests.
    """
    with contextlib.ExitStack() as files:
        given = [one for one in fresh if not one.traffic]
        waiting: tuple[GateResult, ...] = ()
        try:
            given = files.enter_context(with_recorded(fresh, None, None, asked.name, ports))
        except InvalidInput as error:
            wanting = [] if asked.endpoint is None else [one for one in fresh if one.traffic]
            waiting = tuple(_without_requests(one, error.message) for one in wanting)
        yield given, waiting


def _without_requests(planned: Planned, why: str) -> GateResult:
    name = planned.notebook.path.name
    sentence = f"{name}: inconclusive, {why}"
    return GateResult(expression=name, origin=LIVE, verdict="inconclusive", sentence=sentence)


def _known(past: Iterable[Validation], asked: Asked) -> dict[str, Run]:
    """By key, what can be used again."""
    found: dict[str, Run] = {}
    for run in (run for validation in past for run in validation.runs):
        if run.key in asked.keys and run.status == "done" and (run.verdict == "pass" or asked.forced is not None):
            found.setdefault(run.key, run)
    return found


def _whole(past: Iterable[Validation], asked: Asked) -> Validation | None:
    """The validation that found all of it at once."""
    for validation in past:
        same = tuple(sorted(run.key for run in validation.runs)) == asked.keys and not validation.live
        if same and (validation.verdict == "pass" or asked.forced is not None):
            return validation
    return None


def _judged_live(asked: Asked, past: Sequence[Validation], ports: Ports) -> tuple[GateResult, ...]:
    """Gates on live traffic, judged by the comparison so far."""
    if asked.endpoint is None or not asked.wanted.live:
        return ()
    gates = [parse_gate(expression) for expression in asked.wanted.live]
    comparison: Comparison | None = None
    problem = f"{asked.tag} has had no traffic yet"
    try:
        if asked.tag in {release.tag for release in asked.endpoint.releases}:
            comparison = compare(CompareRequest(name=asked.name, candidate=asked.tag), ports, lambda _: None)
    except DeployError as error:
        problem = error.message
    found = []
    for gate in gates:
        why = problem
        try:
            judged = judge_live(gate, comparison) if comparison else None
        except InvalidInput as error:  # a canary has no pairs: what was found while it was a shadow counts
            why = error.message
            judged = _found_before(gate, asked.tag, asked.endpoint.traffic.stable, past)
        found.append(judged or undecided(gate, why))
    return tuple(found)


def _found_before(gate: Gate, tag: str, stable: str, past: Iterable[Validation]) -> GateResult | None:
    """What the comparison with the same stable release said when it said something last, with when that was."""
    for validation in (v for v in past if (v.snapshot, v.stable) == (tag, stable)):
        for result in validation.live:
            if result.expression == gate.expression and result.verdict != "inconclusive":
                when = f"as a shadow, on {validation.at:%Y-%m-%d %H:%M} UTC"
                earlier = result.origin != LIVE  # was itself found before, and says when
                return result if earlier else dated(result, when)
    return None


def _refusal(asked: Asked, validation: Validation) -> GateFailed:
    """One line that says why; how many more there are; where all of it is."""
    against = [line for line in lines_of(validation) if line.verdict != "pass"]
    more = f" (and {len(against) - 1} more)" if len(against) > 1 else ""
    message = " ".join(f"{asked.tag} is refused: {against[0].sentence}{more}".split())
    kind = GateFailed if validation.verdict == "fail" else GateInconclusive
    wait = f"{_wait(asked, validation)}; " if validation.verdict == "inconclusive" and validation.live else ""
    report = validation.report or ""
    return kind(message, wait + asked.remedy, f"  report: {Path(report).as_uri()}" if report else "", report=report)


def _wait(asked: Asked, validation: Validation) -> str:
    """What decides a gate on live traffic: requests, if the release gets any that can."""
    endpoint, tag = asked.endpoint, asked.tag
    role = endpoint.traffic.role_of(tag) if endpoint else "shadow"
    open_ = {gate.expression for gate in validation.live if gate.verdict == "inconclusive"}
    figures = [parse_gate(expression) for expression in asked.wanted.live if expression in open_]
    if endpoint is None or not any(role == "idle" or (role == "canary" and needs_pairs(gate)) for gate in figures):
        return "more requests may decide it"
    if tag not in {release.tag for release in endpoint.releases}:
        return "deploy it without --role first: it starts as a shadow"
    return f"make it a shadow first: 'nbdeploy traffic {asked.name} --shadow {tag}=100'"


def _forcing(request: DeployRequest, name: str, tag: str) -> str:
    """What is said of a deploy that is refused: its snapshot is stored, and how it is deployed all the same."""
    named = ("name",) if name == tag.partition(":")[0] else ()
    words, secrets = retyped(
        request.model_copy(update={"name": name}), "nbdeploy", "deploy", tag, leave_out=(*_CAPTURED, *named)
    )
    again = f" (say {secrets} again)" if secrets else ""
    return f"""its snapshot is stored; to deploy it all the same{again}: {words} --force --reason "…\""""

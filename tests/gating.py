"""A store, and the other ports of gated verbs; slow parts, and parts that need a model, are fakes."""

import contextlib
from dataclasses import dataclass, field
from types import SimpleNamespace

import nbformat

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.capture.artifacts import Bento
from jupyter_deploy.domain.evidence.inference import Comparison, Estimate, Interval, VariantSummary
from jupyter_deploy.domain.release.ports import Observation, ReleaseHealth
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.domain.requests import DeployRequest, PromoteRequest, StopRequest, TrafficRequest
from jupyter_deploy.domain.validation.validation import GateResult, Run, Validation, worst
from jupyter_deploy.drift_detection.drift_log import WatchedDrift
from jupyter_deploy.store.store import SqliteStore
from jupyter_deploy.system.secret_store import SecretStore
from jupyter_deploy.validation.project import FolderProject
from jupyter_deploy.validation.runner import PapermillValidationRunner
from jupyter_deploy.verbs.deploy import deploy
from jupyter_deploy.verbs.stop import stop
from jupyter_deploy.verbs.traffic import promote, traffic
from jupyter_deploy.verbs.validation_runs import RunOptions
from tests import manifests, notebooks

ASKS_MODEL = "from jupyter_deploy import metric, model"


class Target:
    """All its releases run; ``refuses`` (an error) is raised by the next start."""

    def __init__(self):
        self.running, self.refuses = set(), None

    def check(self, resources=None, platform=None):
        """Anything could be started here."""

    def limits(self, release):
        return ()

    def start(self, release, *, ask=False, renew=False):
        if self.refuses:
            raise self.refuses
        self.running.add(release.tag)

    def stop(self, release):
        self.running.discard(release.tag)

    needs_image, shared, header_file = False, None, None

    def route(self, endpoint):
        return f"http://url/{endpoint.name}"

    def lost(self):
        return False

    def observe(self, endpoint):
        health = ReleaseHealth(running=True, healthy=True)
        return Observation(url="http://url", releases=dict.fromkeys(self.running, health))


@dataclass
class World:
    """``bad``: expressions of gates that fail; ``agreement``: the shadow's on live traffic (None: no records)."""

    path: object
    ports: SimpleNamespace
    bad: set = field(default_factory=set)
    agreement: float | None = None
    ran: list = field(default_factory=list)
    told: list = field(default_factory=list)

    def notebook(self, name, *cells, gates=(), traffic=None):
        path = notebooks.write(self.path / name, ASKS_MODEL, *cells)
        document = nbformat.read(path, as_version=4)
        more = {"traffic": traffic} if traffic else {}
        document.cells[-1].metadata["tags"] = ["parameters"]
        document.metadata["nbdeploy"] = {"gates": list(gates), **more}
        nbformat.write(document, path)
        return str(path)

    def deploy(self, version="a", **given):
        return deploy(DeployRequest(source=f"tumour:{version}", **given), self.ports, self.told.append)

    def traffic(self, **given):
        return traffic(TrafficRequest(name="tumour", **given), self.ports, self.told.append)

    def promote(self, **given):
        return promote(PromoteRequest(name="tumour", **given), self.ports, self.told.append)

    def stop(self):
        return stop(StopRequest(name="tumour"), self.ports, self.told.append)

    def endpoint(self):
        return self.ports.store.endpoint("tumour")

    def validations(self):
        return self.ports.store.validations(endpoint="tumour")

    def _run_all(self, planned, subject, how: RunOptions, ports, report):
        self.ran.append(SimpleNamespace(planned=list(planned), subject=subject, how=how))
        runs = [
            Run(
                notebook=one.origin,
                status="done",
                key=one.key,
                gates=tuple(self._judged(gate, origin) for gate, origin in one.gates),
            )
            for one in planned
        ]
        found = Validation(
            id=f"v{len(self.ran)}",
            at=now(),
            trigger=how.trigger,
            snapshot=subject.snapshot.tag,
            endpoint=subject.endpoint,
            stable=subject.stable.tag if subject.stable else None,
            runs=(*how.runs, *runs),
            live=tuple(how.live),
            verdict=worst((*(run.verdict for run in (*how.runs, *runs)), *(gate.verdict for gate in how.live))),
        )
        ports.store.keep_validation(found)
        return found

    def _judged(self, gate, origin):
        verdict = "fail" if gate.expression in self.bad else "pass"
        sentence = f"{gate.expression}: {verdict}"
        return GateResult(expression=gate.expression, origin=origin, verdict=verdict, sentence=sentence)

    def _compare(self, request, *_):
        endpoint = self.endpoint()
        candidate = endpoint.candidate(request.candidate)
        paired = candidate in endpoint.traffic.shadows
        value, rows = self.agreement, 0 if self.agreement is None else 300
        side = VariantSummary(
            release=candidate, requests=rows, rows=rows, errors=0, error_rate=None, latency_p50_ms=1, latency_p95_ms=1
        )
        interval = rows and Interval(low=value - 0.001, high=value + 0.001)
        return Comparison(
            endpoint="tumour", stable=endpoint.traffic.stable, candidate=candidate,
            role="shadow" if paired else "canary", paired=paired, since=None, pairs=rows, rows=rows, mirrored=rows,
            coverage=None, agreement=Estimate(value=value, interval=interval, n=rows) if rows and paired else None,
            sides={"stable": side, "candidate": side}, error_difference=None, latency_difference_ms=None,
            verdict="agrees", reason="",
        )  # fmt: skip


@contextlib.contextmanager
def _nothing_recorded(*_, **__):
    yield SimpleNamespace(rows=0, bare=0)


def make_world(path, monkeypatch):
    """Snapshots ``tumour:a`` … ``tumour:e``, of one variable each, captured by this store; no endpoint."""
    store = SqliteStore(path / "home", "ada")
    known = {}
    for version in "abcde":
        found = manifests.snapshot(f"tumour:{version}", variable=f"clf_{version}")
        known[found.tag] = found.model_copy(update={"digest": f"sha256:{version}", "path": str(path)})
        store.remember(known[found.tag])
    ports = SimpleNamespace(
        redact=(),
        secret_references={},
        secrets=SecretStore(path / "home"),
        store=store,
        targets={"local": Target()},
        keep_revisions=0,
        resources=Resources(),
        specs=(),
        validations=PapermillValidationRunner(),
        project=FolderProject(),
        capturer=SimpleNamespace(check=lambda: None, load=known.__getitem__),
        builder=SimpleNamespace(
            prepared=contextlib.nullcontext,
            build=lambda snapshot: Bento(tag=snapshot.tag, snapshot_digest=snapshot.digest, path=snapshot.path),
        ),
        client=SimpleNamespace(public=lambda _: None, command=lambda url, *_: f"curl {url}"),
        truth=SimpleNamespace(recorded=_nothing_recorded),
        drift=WatchedDrift(path / "home"),
        batches=None,
    )
    world = World(path, ports)
    monkeypatch.setattr("jupyter_deploy.verbs.gates.enforce_gates.run_all", world._run_all)
    monkeypatch.setattr("jupyter_deploy.verbs.gates.live_gates.compare", world._compare)
    monkeypatch.setattr("jupyter_deploy.verbs.traffic.compare", world._compare)
    monkeypatch.setattr("jupyter_deploy.verbs.deploy_plan.changes_since", lambda *_: None)
    return world

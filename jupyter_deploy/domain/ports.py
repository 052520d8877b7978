"""What the operations need of the outside world, as Protocols; ``wiring`` chooses who plays each part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from .agreement import Rule
from .artifacts import Bento, Manifest, Snapshot, Source
from .base import Value
from .endpoint import Counts, Endpoint, Release, Revision
from .inference import Comparison, Record
from .requests import Step

Report = Callable[[Step], None]


@dataclass(frozen=True)
class Live:
    """A live object in a running kernel, with what is needed to capture it."""

    model: Any
    example: Any
    source: Source
    method: str | None = None
    cells: Sequence[str] = ()
    project: Path = field(default_factory=Path.cwd)


@dataclass(frozen=True)
class Staged:
    """A snapshot on its way: files in a temporary folder, not yet proved nor stored."""

    folder: Path
    manifest: Manifest
    fingerprint: str


class Capturer(Protocol):
    """From a live object to a snapshot in the model store, by way of a clean process."""

    def stage(self, live: Live, name: str) -> Staged:
        """Write model, example and answers into a temporary folder.

        Raises InvalidExample, NotCapturable, UnknownSource (no such method).
        """

    def replay(self, staged: Staged) -> Staged:
        """Answer the example in a clean process; returned with the lock and what the replay found out.

        Raises ReplayFailed.
        """

    def keep(self, staged: Staged) -> Snapshot:
        """Store it under an exact tag."""

    def discard(self, staged: Staged) -> None:
        """Remove the temporary folder; does nothing after ``keep``."""

    def load(self, tag: str) -> Snapshot:
        """A snapshot in the model store, its digests verified; nothing is unpickled.

        Raises UnknownSource, StoreError.
        """


class Builder(Protocol):
    def build(self, snapshot: Snapshot) -> Bento:
        """The bento of a snapshot; an existing one is returned as it is."""

    def prepared(self) -> AbstractContextManager[None]:
        """Within, a build may begin at once: what it needs is made ready meanwhile, in the background."""


class NotebookRunner(Protocol):
    def run(self, notebook: Path, last_cell: str, on_cell: Callable[[str], None]) -> Mapping[str, Any]:
        """Run a notebook headless, then ``last_cell`` in the same kernel; what that cell displayed by MIME type.

        ``on_cell`` is told in words which cell begins.

        Raises UnknownSource, NotebookFailed, KernelDied.
        """


class ReleaseHealth(Value):
    running: bool
    healthy: bool
    detail: str = ""


class Observation(Value):
    """What a target sees of an endpoint.

    ``gateway``: whether anybody listens at the URL. ``overflowed``: mirrored copies per shadow that the proxy dropped.
    ``counts``: what the proxy counted of each release that has traffic; observing is cheap enough for once a second.
    """

    url: str
    gateway: bool = True
    releases: dict[str, ReleaseHealth]
    overflowed: dict[str, int] = {}
    counts: dict[str, Counts] = {}


class Target(Protocol):
    """Where releases run: four declarative, idempotent methods, and a way to end it all."""

    def check(self) -> None:
        """Raise, before slow work, if nothing could be started here at all. Raises EnvoyMissing."""

    def start(self, release: Release, *, ask: bool = False) -> None:
        """Run it until it is healthy *and* answers its example as the notebook did; else stop it and raise.

        A release that runs and is healthy is left alone; with ``ask`` it must answer its example once more, since
        what is ready may still hang when it is asked. Raises StartFailed, EnvironmentChanged, EnvoyMissing.
        """

    def stop(self, release: Release) -> None:
        """Stop it; does nothing when it does not run. The last one takes the gateway down too."""

    def route(self, endpoint: Endpoint) -> str:
        """Put the endpoint's traffic in force, confirmed; returns its URL. Not ``running``: its routes go.

        A revision older than the one in force is ignored. Raises RouteNotConfirmed.
        """

    def observe(self, endpoint: Endpoint) -> Observation:
        """The endpoint as it is found."""

    def down(self) -> None:
        """Stop everything that this target runs for this user, also what no store knows of any more."""


class Store(Protocol):
    """Endpoints, their history, and which snapshots this user's own captures made."""

    def endpoints(self) -> list[Endpoint]: ...

    def endpoint(self, name: str) -> Endpoint | None: ...

    def save(self, endpoint: Endpoint, *, based_on: int, reason: str, change: str) -> None:
        """Write a new revision. Raises Conflict when the endpoint is no longer at ``based_on`` (0: must be new)."""

    def history(self, name: str) -> list[Revision]:
        """Newest first."""

    def remember(self, snapshot: Snapshot) -> None:
        """Note that this store captured, or was told to trust, a snapshot."""

    def remembered(self, tag: str) -> Snapshot | None: ...

    def intend(self, release: Release) -> None:
        """Note that this process is about to start a release that no endpoint has yet."""

    def fulfil(self, release: Release) -> None:
        """The start has ended, one way or the other; also said for a process that has gone."""

    def intended(self) -> list[Release]:
        """Releases that *other* living processes are about to start or to rely on: not to be stopped now."""

    def abandoned(self) -> list[Release]:
        """Intended releases whose process has gone."""

    def exclusive(self, name: str) -> AbstractContextManager[None]:
        """Within, no other process changes, routes or stops anything of this endpoint."""


class InferenceLog(Protocol):
    def records(
        self,
        endpoint: str,
        *,
        since: datetime | None = None,
        role: str | None = None,
        status: int | None = None,
        limit: int | None = None,
    ) -> list[Record]:
        """Records by time, oldest first; with ``limit`` the last so many."""

    def follow(self, endpoint: str, *, role: str | None = None, status: int | None = None) -> Iterator[Record]:
        """New records as they are written, for ever."""

    def compare(
        self, endpoint: Endpoint, candidate: str, *, since: datetime | None, overflowed: int, rule: Rule
    ) -> Comparison:
        """The candidate against stable, from the records and the proxy's ledger."""


class Client(Protocol):
    def post(self, url: str, body: Any) -> tuple[int, Mapping[str, str], Any]:
        """POST JSON; status, headers (lower-case names) and the parsed body (its text, if it is not JSON).

        Raises TargetError when nobody listens.
        """


@dataclass(frozen=True)
class Ports:
    capturer: Capturer
    builder: Builder
    notebooks: NotebookRunner
    targets: Mapping[str, Target]
    store: Store
    log: InferenceLog
    client: Client
    keep_revisions: int

"""The port of targets: where releases run. ``tests/contract/target_contract.py`` puts any target to this contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import Field
from pydantic.fields import FieldInfo

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.batch.results import BatchState
from jupyter_deploy.domain.batch.spec import BatchSpec
from jupyter_deploy.domain.capture.signature import Signature
from jupyter_deploy.domain.images.images import Reference
from jupyter_deploy.domain.ramp.status import Look
from jupyter_deploy.domain.stream.spec import StreamSpec
from jupyter_deploy.domain.stream.status import StreamState

from .endpoint import Endpoint, Release, Revision
from .resources import Resources
from .status import Counts, Usage

if TYPE_CHECKING:
    from jupyter_deploy.domain.drift.sketch import ReferenceSketch


class ReleaseHealth(Value):
    """The state of one release on a target.

    ``detail`` explains a release that is not healthy; ``limits`` are those of ``Target.limits`` while it runs.
    ``pods``: on a cluster ``2 of 2 pods are ready``, else empty.
    """

    running: bool
    healthy: bool
    detail: str = ""
    limits: tuple[str, ...] = ()
    pods: str = ""


class Observation(Value):
    """The state of an endpoint on a target.

    Attributes
    ----------
    url
        The endpoint's address, also while nothing runs.
    gateway
        Whether the gateway is up.
    releases
        By tag, each release of the endpoint.
    overflowed
        By tag of a shadow, the mirrored requests that the gateway dropped.
    counts
        By tag, the gateway's counters of each release that has traffic.
    gateways
        How many pods of the gateway have the endpoint's routes in force, in words; empty: all have.
    undriven
        Why nothing drives the endpoint's ramp now, in words; empty: something does, or it has none in progress.
    stream
        The state of the endpoint's stream; None: it has none.
    batch
        The state of the endpoint's batches by schedule; None: it has none.
    """

    url: str
    gateway: bool = True
    releases: dict[str, ReleaseHealth]
    overflowed: dict[str, int] = {}
    counts: dict[str, Counts] = {}
    gateways: str = ""
    undriven: str = ""
    stream: StreamState | None = None
    batch: BatchState | None = None


def _already_present(_engine: str, _image: Reference) -> None:
    """The image is in the engine's storage."""


class TargetSettings(Value):
    """The settings of a target: the fields of this class come from nbdeploy, a subclass declares its own.

    A field of a subclass that has a description is a setting: ``NBDEPLOY_<NAME>`` in the environment or its name in
    ``nbdeploy.yaml``. All targets share these names; a target other than ``local`` declares one field that is named
    like the target and holds a model (``NBDEPLOY_<TARGET>__<NAME>``). Every setting needs a default.

    Attributes
    ----------
    home
        Folder of records, logs and the store.
    bentoml_home
        Folder of BentoML's stores.
    archivist
        Command line of the program that compacts and expires records on this machine; empty: none.
    archivist_variables
        Its variables besides those of every program: the destinations of notifications, which are secret.
    endpoint_program
        Command line and environment of a program of ``faces``, such as ``ramp_driver``, for an endpoint by its name;
        None: there are none.
    stream_worker
        Command line of the program that answers an endpoint's stream, without its document; empty: none.
    ramp_variables
        The settings of such a program on another machine, as variables; without those of the target.
    records_to
        URL of the bucket to which records are uploaded (``domain.bucket``); None: they stay where they are written.
    load_image
        Loads an image into the storage of ``podman`` or ``docker`` (``domain.images.ports.Engines``).
    publish_gateway
        Publishes the gateway's image next to a release's image, and returns its reference by digest.
    publish_archivist
        The same of the program that uploads records from pods.
    """

    home: Path
    bentoml_home: Path
    archivist: tuple[str, ...] = ()
    archivist_variables: dict[str, str] = Field(default={}, repr=False)
    endpoint_program: Callable[[str, str], tuple[tuple[str, ...], dict[str, str]]] | None = None
    stream_worker: tuple[str, ...] = ()
    ramp_variables: dict[str, str] = {}
    records_to: str | None = None
    load_image: Callable[[str, Reference], None] = _already_present
    publish_gateway: Callable[[Release], str] | None = None
    publish_archivist: Callable[[Release], str] | None = None

    @classmethod
    def declared(cls) -> dict[str, FieldInfo]:
        """The settings that users can make, by name."""
        return {name: field for name, field in cls.model_fields.items() if field.description}

    def changed(self) -> dict[str, Any]:
        """The settings that were made, as JSON values."""
        return self.model_dump(mode="json", include=self.model_fields_set & set(type(self).declared()))


class SharedEndpoints(Protocol):
    """The endpoints of a target that several users change: the authority, of which a user's store is a cache.

    All methods raise TargetError if the target cannot be reached.
    """

    def histories(self) -> Mapping[str, Sequence[Revision]]:
        """Every endpoint's revisions, newest first."""

    def write(
        self,
        revision: Revision,
        *,
        based_on: int,
        signatures: Mapping[str, Signature] = {},
        sketches: Mapping[str, ReferenceSketch] = {},
    ) -> None:
        """Write a new revision. Raises Conflict if the endpoint is no longer at ``based_on`` (0: must be new).

        ``signatures``, ``sketches``: of the releases whose snapshots this user has, by tag.
        """

    def signature(self, tag: str) -> Signature | None:
        """The signature of a release, by the latest ``histories``; None: nobody wrote it."""

    def sketch(self, tag: str) -> ReferenceSketch | None:
        """The sketch of a release's training table, by the latest ``histories``; None: nobody wrote it.

        Raises StoreError if there was no room for it.
        """

    def look(self, name: str) -> Look | None:
        """The latest look at the endpoint's ramp; None: there was none."""

    def keep_look(self, name: str, look: Look) -> None:
        """Replace the latest look; without a driver of the ramp it is lost."""

    def remove(self, name: str) -> None:
        """Remove an endpoint with its revisions; none is no error."""


class Target(Protocol):
    """A place where releases run behind a gateway.

    All methods are idempotent: a second call with the same arguments changes nothing. State lives with the target,
    not in the object: another object with the same settings, also in another process, continues where this one ended.
    Every method may raise TargetError if the target cannot be reached.

    Attributes
    ----------
    needs_image
        Whether it runs published images only, so that a deploy publishes first.
    on
        Whether it is set up here; one that is not has nothing to stop.
    shared
        Its endpoints, if other users change them too; None: the user's own store has them.
    header_file
        A file whose one line is the header with the token that its gateway requires; None: this user has none.
    """

    needs_image: bool

    @property
    def on(self) -> bool: ...

    @property
    def shared(self) -> SharedEndpoints | None: ...

    @property
    def header_file(self) -> Path | None: ...

    def check(self, resources: Resources | None = None, platform: str | None = None) -> None:
        """Raise, before slow work, if the target can start no release, or none with these resources.

        Starts nothing and writes nothing.

        Parameters
        ----------
        platform
            Set if the release is to run from an image: the image's platform, such as linux/amd64.

        Raises
        ------
        EnvoyMissing, ToolMissing
            A program is missing that the target needs.
        InvalidInput
            The target has fewer resources than these, or cannot run this platform.
        TargetError
            A limit of the target is too low or used up.
        """

    def check_ramp(self, endpoint: Endpoint) -> None:
        """Raise, before a ramp of the endpoint begins or gives its candidate more clients, if nothing can drive it so.

        Raises
        ------
        Refused
            The reason names what is missing.
        """

    def check_serving(self, way: StreamSpec | BatchSpec) -> None:
        """Raise, before a stream or batches by schedule begin, if the target can run no program for them.

        Raises
        ------
        Refused
            The reason names what is missing.
        InvalidInput
            The target does not have a place of the batches.
        """

    def start(self, release: Release, *, ask: bool = False, renew: bool = False) -> bool:
        """Run a release until it is ready and reproduces the notebook's predictions for its example.

        A release that is already healthy stays as it is; one that runs with other resources or from another image is
        replaced, and its predecessor serves until the next ``route``. Returns whether the release had to be started.

        Parameters
        ----------
        ask
            Send the example to a release that already runs, too: a ready worker may hang.
        renew
            As ``ask``; a release that fails is started anew.

        Raises
        ------
        StartFailed
            The release is not ready in time, or its predictions differ. It is stopped again, unless it was running
            before: then it continues as it was.
        EnvironmentChanged
            The packages of the release's environment are not those of its snapshot.
        EnvoyMissing, ToolMissing, InvalidInput
            As for ``check``.
        """

    def stop(self, release: Release) -> None:
        """Stop a release after it has answered its pending requests; a release that does not run is no error.

        If no other release runs, the gateway stops too.
        """

    def route(self, endpoint: Endpoint) -> str:
        """Put the endpoint's traffic into force, wait for the gateway's confirmation and return the endpoint's URL.

        Removes the routes of an endpoint that is not ``running``. Ignores a revision older than the one in force.

        Raises
        ------
        RouteNotConfirmed
            The routes in force are those of before.
        TargetError
            The bento of a release has another format: it may not know how to record requests.
        """

    def observe(self, endpoint: Endpoint) -> Observation:
        """The endpoint's state; starts and changes nothing, and is cheap enough for once a second."""

    def observe_all(self, endpoints: Sequence[Endpoint]) -> Mapping[str, Observation]:
        """The state of several endpoints, by name; hundreds take about as long as one."""

    def limits(self, release: Release) -> tuple[str, ...]:
        """How the release's resources are enforced, one line each; empty without limits, or if it never ran."""

    def usage(self, releases: Sequence[Release]) -> Mapping[str, Usage]:
        """The resources in use by tag, without releases that are idle, stopped or not measured.

        Starts nothing, and is cheap enough for once a second.
        """

    def output(self, release: Release, most: int) -> str:
        """The last ``most`` bytes that the release's processes printed; empty: nothing. A stopped one has its own."""

    def lost(self) -> bool:
        """Whether releases ran here and ended without ``stop`` or ``down``, as after a reboot. Cheap."""

    def forget(self, endpoint: str, tags: Sequence[str]) -> None:
        """Remove the remains of a deleted endpoint: its stopped releases' logs, and its revision, which may begin anew.

        ``tags`` are all releases that it ever had.
        """

    def down(self) -> None:
        """Stop every release and the gateway, also releases that the store does not know."""


class TargetClass(Protocol):
    """A target's class, as an entry point in the group ``nbdeploy.targets`` names it.

    nbdeploy reads the settings that ``settings_class`` declares, and makes the target from them.
    """

    settings_class: type[TargetSettings]

    def __call__(self, settings: Any) -> Target:
        """The target with these settings."""

"""An endpoint, its releases and their shares of the traffic; all transitions are pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from jupyter_deploy.domain.base import RecordMode, Value, percent_in_words
from jupyter_deploy.domain.batch.spec import BatchSpec
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.errors import InvalidTraffic, NoCandidate, UnknownRelease
from jupyter_deploy.domain.model_selection.selection import Choice
from jupyter_deploy.domain.ramp.state import RampState
from jupyter_deploy.domain.stream.spec import StreamSpec
from jupyter_deploy.domain.validation.validated import Validated
from jupyter_deploy.domain.validation.validation import ValidationSpec

from .comparison_settings import ComparisonSettings, Default
from .labels import checked_label
from .resources import Resources
from .superseding import after_change
from .traffic import Traffic, check_percent

DEFAULT_CANARY_PERCENT = 10.0

# Revisions for which an idle release can become a candidate again; after that only a rollback restores it.
REMEMBERED = 20


class Changes(Value):
    """The difference between a release and its predecessor, the stable release at its deploy; ``words`` sum it up."""

    predecessor: str
    words: tuple[str, ...]


class Release(Value):
    """One bento behind an endpoint.

    A target starts it by ``interpreter`` and ``path``, and verifies it by ``digest``.
    """

    endpoint: str
    tag: str
    digest: str = Field(description="The snapshot's digest; verified before anything is unpickled.")
    path: str = Field(description="The bento's folder in the bento store; empty: it runs from an image.")
    code: str = Field(default="", description="SHA-256 of the bento's code as it was built; empty: it is not known.")
    snapshot_path: str = Field(description="The snapshot's folder in the model store.")
    interpreter: str
    source: Source
    framework: str = ""
    stochastic: bool = False
    changes: Changes | None = Field(default=None, description="None: it is the endpoint's first release.")
    findings: tuple[Finding, ...] = Field(default=(), description="Of the checks at its deploy, and their waivers.")
    validation: Validated | None = Field(default=None, description="None: it was never validated.")
    redact: tuple[str, ...] = Field(default=(), description="Columns whose values are never written down.")
    secrets: dict[str, str] = Field(default={}, description="References to secrets, such as env:PROD_DB, by variable.")
    resources: Resources = Resources()
    image: str | None = Field(
        default=None, description="HOST/PATH@sha256:… of the image that it runs from; None: from the bento."
    )
    pyarrow: bool = Field(default=True, description="Whether its image has pyarrow, by which batches read files.")
    label: str = Field(default="", description="A person's name for it; empty: none.")
    choice: Choice | None = None
    created_at: datetime

    @property
    def version(self) -> str:
        return self.tag.partition(":")[2]

    def running_as(self, earlier: Release) -> Release:
        """The release with the image or the bento that it had earlier."""
        ran = {"image": earlier.image, "path": earlier.path, "code": earlier.code}
        return self if self.image == earlier.image else self.model_copy(update=ran)


class Endpoint(Value):
    """A name that clients call.

    ``revision`` grows by one with every change. ``idle_since`` has the revision at which a release lost its last
    traffic: it is kept warm for a few revisions and then stopped. ``running`` False: stopped on purpose.
    """

    name: str
    target: str = "local"
    revision: int = 0
    running: bool = True
    releases: tuple[Release, ...]
    traffic: Traffic
    record: RecordMode = "full"
    record_sample: float = Field(
        default=1.0, gt=0, le=1, description="Of so many of the requests, chosen by a hash of pair_id."
    )
    comparison: ComparisonSettings = ComparisonSettings()
    validations: tuple[ValidationSpec, ...] = Field(
        default=(), description="What must hold of a release before it comes, and before it answers clients."
    )
    validations_from: str = Field(
        default="", description="The nbdeploy.yaml that they stand in; empty: a deploy's options named them."
    )
    idle_since: dict[str, int] = {}
    restored: int | None = Field(default=None, description="The revision that a rollback made this one from.")
    ramp: RampState | None = Field(default=None, description="The latest ramp; None: there was none.")
    stream: StreamSpec | None = Field(default=None, description="The messages that it answers; None: none.")
    batch: BatchSpec | None = Field(default=None, description="The files that it scores by a schedule; None: none.")

    @classmethod
    def first(cls, release: Release, target: str = "local") -> Endpoint:
        """A new endpoint, whose first release is stable."""
        traffic = Traffic(stable=release.tag)
        return cls(name=release.endpoint, target=target, revision=1, releases=(release,), traffic=traffic)

    def release(self, tag: str) -> Release:
        """The release with this tag, version, label, or unambiguous beginning of a tag or version.

        Raises
        ------
        UnknownRelease
            None or several match.
        """
        matches = [r for r in self.releases if tag and tag in (r.tag, r.version, r.label)] or [
            r for r in self.releases if tag and (r.version.startswith(tag) or (":" in tag and r.tag.startswith(tag)))
        ]
        if len(matches) == 1:
            return matches[0]
        known = ", ".join(r.tag for r in self.releases)
        count = "several releases" if matches else "no release"
        raise UnknownRelease(f"{self.name} has {count} that '{tag}' could mean", f"name one of: {known}")

    def candidates(self) -> list[str]:
        """The canary first, then the shadows."""
        traffic = self.traffic
        return [*([traffic.canary] if traffic.canary else []), *traffic.shadows]

    def candidate(self, tag: str | None = None) -> str:
        """The tag of a named candidate, or of the only one.

        Raises
        ------
        NoCandidate
            There is none, or there are several and none is named.
        """
        if tag is not None:
            return self.release(tag).tag
        candidates = self.candidates()
        if not candidates:
            idle = [r.tag for r in self.releases if r.tag != self.traffic.stable]
            raise NoCandidate(
                f"{self.name} has no canary and no shadow",
                f"name an idle release: {', '.join(idle)}"
                if idle
                else "deploy a changed model first; it starts as a shadow",
            )
        if self.traffic.canary is None and len(candidates) > 1:
            raise NoCandidate(f"{self.name} has {len(candidates)} shadows", f"name one of: {', '.join(candidates)}")
        return candidates[0]

    def with_release(
        self, release: Release, *, role: str = "auto", percent: float | None = None, keep: bool = False
    ) -> Endpoint:
        """The endpoint with one more release.

        ``auto`` starts as a shadow at 100 %. Unless ``keep``, it replaces the candidate of the same notebook and
        variable and inherits a shadow's percentage, but not a canary's: clients get no new code without a request.
        """
        traffic = self.traffic
        replaced = None if keep else self._same_source(release)
        if replaced and replaced in traffic.shadows and percent is None and role in ("auto", "shadow"):
            percent = traffic.shadows[replaced]
        if replaced:
            traffic = traffic.without(replaced)
        grown = self.model_copy(update={"releases": self._releases_with(release), "traffic": traffic})
        if role == "stable":
            return self._next(grown.releases, _stable(traffic, release.tag))
        if role == "canary":
            share = DEFAULT_CANARY_PERCENT if percent is None else percent
            return self._next(grown.releases, grown.shares({}, {release.tag: share}))
        return self._next(grown.releases, grown.shares({release.tag: 100.0 if percent is None else percent}, {}))

    def with_traffic(self, shadow: Mapping[str, float], canary: Mapping[str, float]) -> Endpoint:
        """The endpoint with other shares; unnamed releases keep theirs, 0 switches one off.

        Raises
        ------
        InvalidTraffic
            A percentage below 0, above 100 or not a number; two canaries; stable as its own candidate.
        UnknownRelease
            A tag that the endpoint does not have.
        """
        return self._next(self.releases, self.shares(shadow, canary))

    def promoted(self, tag: str | None = None) -> Endpoint:
        """The candidate becomes stable and takes all requests; the former stable becomes idle."""
        chosen = self.candidate(tag)
        if chosen == self.traffic.stable:
            raise NoCandidate(f"{chosen} is stable already", "nothing to do")
        return self._next(self.releases, _stable(self.traffic, chosen))

    def rolled_back_to(self, earlier: Endpoint) -> Endpoint:
        """Everything but the validations of an earlier revision, as a new one.

        Its releases run from their image or bento of that revision. Validations that were removed since come back;
        those that were added since stay, or a rollback would switch them off.
        """
        # Releases that were idle then are not restored: only a role brings a release back.
        needed = [r for r in earlier.releases if earlier.traffic.role_of(r.tag) != "idle"]
        then = {r.tag: r for r in needed}
        releases = {r.tag: r.running_as(then.get(r.tag, r)) for r in (*needed, *self.releases)}
        after = self._next(tuple(releases.values()), earlier.traffic)
        restored = earlier.restored or earlier.revision
        holder = self if self.validations else earlier
        after = after.validating(holder.validations, holder.validations_from)
        kept = {"restored": restored, "comparison": earlier.comparison}
        after = after.model_copy(update=kept | {"stream": earlier.stream, "batch": earlier.batch})
        return after.recording(earlier.record, earlier.record_sample)

    @property
    def previous_revision(self) -> int:
        """The revision of a rollback without one: the one before this state first existed.

        So a second rollback goes further back.
        """
        return (self.restored or self.revision) - 1

    def ramped(self, state: RampState) -> Endpoint:
        """The next state of the ramp with the shares that it means; without clients, a canary becomes idle."""
        tag, traffic = state.candidate, self.traffic
        if state.percent == 100:
            traffic = _stable(traffic, tag)
        elif state.percent > 0:
            traffic = self.shares({}, {tag: state.percent})
        elif not state.ended:
            traffic = self.shares({tag: 100.0}, {})
        elif tag == traffic.canary:
            traffic = traffic.without(tag)
        return self._next(self.releases, traffic).model_copy(update={"ramp": state})

    def recording(self, record: RecordMode | None, sample: float | None = None) -> Endpoint:
        """The same revision with another mode or share of recording; None: unchanged."""
        changed = {"record": record, "record_sample": sample}
        return self.model_copy(update={name: value for name, value in changed.items() if value is not None})

    def comparing(
        self,
        tolerance: float | Default | None,
        absolute_tolerance: float | Default | None,
        segments: tuple[str, ...],
        at: datetime,
    ) -> Endpoint:
        """The same revision with other settings of comparisons (``ComparisonSettings.changed``)."""
        changed = self.comparison.changed(tolerance, absolute_tolerance, segments, at)
        return self.model_copy(update={"comparison": changed})

    @property
    def recorded(self) -> str:
        """The mode of recording in short: ``full``, ``full of 10 %``."""
        return self.record if self.record_sample == 1 else f"{self.record} of {percent_in_words(self.record_sample)}"

    def validating(self, validations: tuple[ValidationSpec, ...] | None, file: str = "") -> Endpoint:
        """The same revision with other validations from ``file`` (empty: none); None: unchanged."""
        changed = {"validations": validations, "validations_from": file}
        return self if validations is None else self.model_copy(update=changed)

    def validated(self, tag: str, validation: Validated | None) -> Endpoint:
        """The same revision with the validation of a release; None: unchanged."""
        if validation is None:
            return self
        known = self.release(tag)
        forced = validation.forced or (known.validation.forced if known.validation else None)
        updated = known.model_copy(update={"validation": validation.model_copy(update={"forced": forced})})
        releases = tuple(updated if r.tag == updated.tag else r for r in self.releases)
        return self.model_copy(update={"releases": releases})

    def labelled(self, tag: str, label: str) -> Endpoint:
        """The endpoint with a label of a release, as a new revision; empty: none.

        Raises
        ------
        UnknownRelease
            The endpoint has no such release.
        InvalidName
            The label is too long, has several lines, or looks like a tag.
        """
        chosen = self.release(tag)
        checked = checked_label(label)
        releases = tuple(r.model_copy(update={"label": checked}) if r.tag == chosen.tag else r for r in self.releases)
        return self.model_copy(update={"releases": releases, "revision": self.revision + 1, "restored": None})

    def serving(self, **ways: StreamSpec | BatchSpec | None) -> Endpoint:
        """The endpoint with another ``stream`` or ``batch``, running, as a new revision; None: it has none."""
        return self._next(self.releases, self.traffic).model_copy(update=ways)

    def gaining(self, after: Endpoint) -> str | None:
        """The tag of the release that gains clients in ``after``: a new stable release, or a canary."""
        now = after.traffic
        if now.stable != self.traffic.stable:
            return now.stable
        had = self.traffic.percent_of(now.canary) if now.canary and now.canary == self.traffic.canary else 0.0
        return now.canary if now.canary_percent > had else None

    def stopped(self) -> Endpoint:
        ramp = after_change(self.ramp, self.traffic, None, self.revision + 1)
        changed = {"running": False, "restored": None, "ramp": ramp}
        return self.model_copy(update={"revision": self.revision + 1, **changed})

    def with_renewed(self, release: Release) -> Endpoint:
        """The same traffic, running, with this release in place of the one of the same tag."""
        return self._next(self._releases_with(release), self.traffic)

    def releases_to_run(self, keep_revisions: int) -> list[Release]:
        """The releases that should run: with traffic, or idle for fewer than ``keep_revisions`` revisions."""
        if not self.running:
            return []
        warm = {tag for tag, since in self.idle_since.items() if self.revision - since < keep_revisions}
        return [r for r in self.releases if r.tag in warm or self.traffic.role_of(r.tag) != "idle"]

    def _by_tag(self, shares: Mapping[str, float], role: str) -> dict[str, float]:
        pairs = [(self.release(tag).tag, check_percent(percent, f"{role} {tag}")) for tag, percent in shares.items()]
        if len(dict(pairs)) < len(pairs):
            raise InvalidTraffic("one release is given twice, by two spellings of its tag", "name each release once")
        return dict(pairs)

    def _same_source(self, release: Release) -> str | None:
        for tag in self.candidates():
            if tag != release.tag and release.source.is_known and self.release(tag).source == release.source:
                return tag
        return None

    def _releases_with(self, release: Release) -> tuple[Release, ...]:
        return (*(r for r in self.releases if r.tag != release.tag), release)

    def _next(self, releases: tuple[Release, ...], traffic: Traffic) -> Endpoint:
        revision = self.revision + 1
        idle = {r.tag: self.idle_since.get(r.tag, revision) for r in releases if traffic.role_of(r.tag) == "idle"}
        kept = tuple(r for r in releases if traffic.role_of(r.tag) != "idle" or revision - idle[r.tag] < REMEMBERED)
        return Endpoint(
            name=self.name,
            target=self.target,
            revision=revision,
            releases=kept,
            traffic=traffic,
            record=self.record,
            record_sample=self.record_sample,
            comparison=self.comparison,
            validations=self.validations,
            validations_from=self.validations_from,
            idle_since={tag: since for tag, since in idle.items() if revision - since < REMEMBERED},
            ramp=after_change(self.ramp, self.traffic, traffic, revision),
            stream=self.stream,
            batch=self.batch,
        )

    def shares(self, shadow: Mapping[str, float], canary: Mapping[str, float]) -> Traffic:
        """The traffic that ``with_traffic`` leads to."""
        wanted_shadows = self._by_tag(shadow, "shadow")
        wanted_canary = self._by_tag(canary, "canary")
        for tag in (*wanted_shadows, *wanted_canary):
            if tag == self.traffic.stable:
                raise InvalidTraffic(
                    f"{tag} is stable: it gets what the canary leaves", "name a candidate, or promote another release"
                )
            if tag in wanted_shadows and tag in wanted_canary:
                raise InvalidTraffic(f"{tag} cannot be canary and shadow at once", "name it once")
        if sum(wanted_canary.values()) > 100:
            raise InvalidTraffic("the canaries' percentages sum to more than 100", "there is one canary at a time")
        if sum(p > 0 for p in wanted_canary.values()) > 1:
            raise InvalidTraffic("there is one canary at a time", "make the others shadows")
        traffic = self.traffic
        for tag in (*wanted_shadows, *wanted_canary):
            traffic = traffic.without(tag)
        shadows = traffic.shadows | {tag: p for tag, p in wanted_shadows.items() if p > 0}
        canary_tag, canary_percent = traffic.canary, traffic.canary_percent
        for tag, percent in wanted_canary.items():
            if percent > 0:
                canary_tag, canary_percent = tag, percent
        return Traffic(stable=traffic.stable, canary=canary_tag, canary_percent=canary_percent, shadows=shadows)


def _stable(traffic: Traffic, tag: str) -> Traffic:
    """``tag`` as stable; other candidates keep their shares."""
    without = traffic.without(tag)
    return Traffic(stable=tag, canary=without.canary, canary_percent=without.canary_percent, shadows=without.shadows)


class Revision(Value):
    """One change of an endpoint: user, time, reason, description."""

    endpoint: str
    revision: int
    at: datetime
    by: str
    reason: str
    change: str
    state: Endpoint

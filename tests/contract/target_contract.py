"""The contract of ``domain.release.ports.Target`` as tests, for any target.

A test module derives a class from ``TargetContract``; its fixture ``site`` yields a ``Site``.
"""

from __future__ import annotations

from typing import Any, Protocol

import pytest

from jupyter_deploy.domain.errors import InvalidInput, StartFailed
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.release.ports import Target
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.domain.release.traffic import Traffic

MORE_THAN_ANY = Resources(cpu=100_000)


class Site(Protocol):
    """One installation of a target, and models for it."""

    def target(self) -> Target:
        """Another object of the target under test, as another process makes it."""

    def release(self, version: str, *, endpoint: str = "tumour") -> Release:
        """A release that answers with its version, as its notebook did."""

    def answer_with(self, release: Release, answer: str) -> None:
        """From now on the release answers with this, whether it runs or not."""

    def predict(self, url: str) -> str | None:
        """The answer of an endpoint to a client; None: no such endpoint is served."""


def endpoint_of(*releases: Release, revision: int = 1, running: bool = True, **traffic: Any) -> Endpoint:
    """An endpoint whose first release is stable."""
    return Endpoint(
        name=releases[0].endpoint,
        revision=revision,
        running=running,
        releases=releases,
        traffic=Traffic(stable=releases[0].tag, **traffic),
    )


class TargetContract:
    """What every target does, seen by the verbs that call it."""

    @pytest.fixture
    def site(self) -> Site:
        raise NotImplementedError("a fixture that yields a Site")

    def test_nothing_runs_before_the_first_start(self, site: Site) -> None:
        target, release = site.target(), site.release("aaa")
        target.check()
        seen = target.observe(endpoint_of(release))
        assert seen.url
        assert not seen.gateway
        assert set(seen.releases) == {release.tag}
        assert not seen.releases[release.tag].running
        assert target.observe_all([]) == {}
        assert target.limits(release) == ()
        assert not target.lost()
        assert target.usage([release]) == {}
        assert target.output(release, 1000) == ""
        target.stop(release)
        target.down()
        assert not target.observe(endpoint_of(release)).gateway

    def test_more_resources_than_there_are_is_invalid_input(self, site: Site) -> None:
        target = site.target()
        with pytest.raises(InvalidInput):
            target.check(MORE_THAN_ANY)
        release = site.release("aaa").model_copy(update={"resources": MORE_THAN_ANY})
        with pytest.raises(InvalidInput):
            target.start(release)
        assert not target.observe(endpoint_of(release)).releases[release.tag].running

    def test_a_release_that_differs_from_its_notebook_is_stopped_again(self, site: Site) -> None:
        target, release = site.target(), site.release("aaa")
        site.answer_with(release, "other")
        with pytest.raises(StartFailed) as failed:
            target.start(release)
        assert failed.value.remedy
        assert not target.observe(endpoint_of(release)).releases[release.tag].running

    def test_a_running_release_is_started_once_and_asked_on_request(self, site: Site) -> None:
        target, release = site.target(), site.release("aaa")
        assert target.start(release) is True
        assert target.start(release) is False
        assert site.target().start(release) is False, "state lives with the target"
        site.answer_with(release, "other")
        assert target.start(release) is False, "without ask nobody notices"
        with pytest.raises(StartFailed):
            target.start(release, ask=True)
        assert target.observe(endpoint_of(release)).releases[release.tag].running
        site.answer_with(release, "aaa")
        assert target.start(release, ask=True) is False
        assert target.start(release, renew=True) is False
        (usage,) = target.usage([release, site.release("bbb")]).values()
        assert usage.memory > 0
        assert usage.workers == 1
        assert len(target.output(release, 4)) <= 4
        target.stop(release)
        assert target.usage([release]) == {}

    def test_routes_follow_revisions_and_the_last_stop_ends_the_gateway(self, site: Site) -> None:
        target, first, second = site.target(), site.release("aaa"), site.release("bbb")
        target.start(first)
        target.start(second)
        url = target.route(endpoint_of(first, second))
        assert site.predict(url) == "aaa"
        assert target.route(endpoint_of(second, first, revision=3)) == url
        assert site.predict(url) == "bbb"
        assert target.route(endpoint_of(first, second, revision=2)) == url
        assert site.predict(url) == "bbb", "an older revision is ignored"

        endpoint = endpoint_of(second, first, revision=3)
        seen = site.target().observe(endpoint)
        assert (seen.url, seen.gateway) == (url, True)
        assert all(health.running and health.healthy for health in seen.releases.values())
        assert set(target.observe_all([endpoint])) == {endpoint.name}

        target.route(endpoint.model_copy(update={"revision": 4, "running": False}))
        assert site.predict(url) is None
        for release in (second, first, first):
            target.stop(release)
        seen = target.observe(endpoint)
        assert not seen.gateway
        assert not any(health.running for health in seen.releases.values())
        assert not target.lost(), "stopped on purpose"

    def test_a_deleted_endpoint_is_forgotten_and_its_name_begins_anew(self, site: Site) -> None:
        target, first, second = site.target(), site.release("aaa"), site.release("ccc", endpoint="churn")
        target.forget("tumour", [])
        target.start(first)
        target.start(second)
        url = target.route(endpoint_of(first, revision=7))
        other = target.route(endpoint_of(second))
        target.route(endpoint_of(first, revision=8, running=False))
        target.stop(first)
        for _ in range(2):
            target.forget("tumour", [first.tag])
        assert site.predict(other) == "ccc", "others are not touched"
        target.start(first)
        assert target.route(endpoint_of(first, revision=1)) == url
        assert site.predict(url) == "aaa", "its revisions are forgotten"

    def test_endpoints_are_apart_and_down_ends_all(self, site: Site) -> None:
        target = site.target()
        releases = [site.release("aaa"), site.release("ccc", endpoint="churn")]
        for release in releases:
            target.start(release)
        endpoints = [endpoint_of(release) for release in releases]
        urls = [target.route(endpoint) for endpoint in endpoints]
        assert [site.predict(url) for url in urls] == ["aaa", "ccc"]
        target.stop(releases[0])
        seen = target.observe_all(endpoints)
        assert [seen[e.name].releases[r.tag].running for e, r in zip(endpoints, releases, strict=True)] == [False, True]
        assert site.predict(urls[1]) == "ccc"
        site.target().down()
        assert site.predict(urls[1]) is None
        assert not target.lost()
        target.down()

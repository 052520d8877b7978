"""Envoy's documents as a function of the endpoints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.traffic import Traffic
from jupyter_deploy.targets.envoy import documents as envoy
from tests.releases import release

SETTINGS = envoy.GatewaySettings(
    port=8780,
    admin_socket="/run/nb/admin.sock",
    shadow_socket="/run/nb/shadow.sock",
    xds="/run/nb/xds",
    edge_log="/home/u/ledger/edge.jsonl",
    shadow_log="/home/u/ledger/shadow.jsonl",
)


def endpoint(name: str = "tumour", *, running: bool = True, tags: str = "abcd", **traffic: Any) -> Endpoint:
    releases = tuple(release(version, endpoint=name) for version in tags)
    return Endpoint(name=name, releases=releases, running=running, traffic=Traffic(**{"stable": "tumour:a", **traffic}))


def sockets(*endpoints: Endpoint) -> dict[tuple[str, str], str]:
    return {(e.name, r.tag): f"/run/nb/s/{e.name}-{r.version}.sock" for e in endpoints for r in e.releases}


def routes(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The routes of the first host, without the refusal of several hosts."""
    found = document["resources"][0]["virtual_hosts"][0]["routes"]
    return [route for route in found if route["name"] != "several hosts"]


@given(st.floats(min_value=1e-6, max_value=100))
def test_weights_sum_to_ten_thousand_with_the_canary_last(percent: float) -> None:
    traffic = endpoint(canary="tumour:b", canary_percent=percent)
    weighted = routes(envoy.edge_routes([traffic], SETTINGS, "1"))[0]["route"]["weighted_clusters"]["clusters"]
    assert sum(cluster["weight"] for cluster in weighted) == 10_000
    assert weighted[-1]["name"] == "tumour:b"
    assert all(cluster["weight"] >= 1 for cluster in weighted)


@pytest.mark.parametrize("percent", [0.001, 5.0, 33.333, 100.0])
def test_both_releases_are_told_the_canarys_share_in_force_as_its_weight_is(percent: float) -> None:
    document = envoy.edge_routes([endpoint(canary="tumour:b", canary_percent=percent)], SETTINGS, "1")
    for route in routes(document):
        for cluster in route.get("route", {}).get("weighted_clusters", {}).get("clusters", ()):
            told = {h["header"]["key"]: h["header"]["value"] for h in cluster["request_headers_to_add"]}
            if route["name"] == "tumour/v2 of a version":  # goes to stable alone
                assert "x-rollout-canary" not in told
            else:
                weight = max(1, round(percent * 100))
                assert told["x-rollout-canary"] == f"tumour:b;share={weight / 10_000!r}"


def test_predictions_have_a_salt_of_their_endpoint() -> None:
    def salts(name: str, secret: str) -> set[str]:
        found = routes(envoy.edge_routes([endpoint(name)], replace(SETTINGS, salt=secret), "1"))
        added = [header["header"] for route in found for header in route.get("request_headers_to_add", ())]
        return {header["value"] for header in added if header["key"] == "x-rollout-salt"}

    assert salts("tumour", "") == set()
    (one,), (other,), (again,) = salts("tumour", "secret"), salts("churn", "secret"), salts("tumour", "another")
    assert len({one, other, again}) == 3
    assert "secret" not in one


@given(st.floats(min_value=1e-6, max_value=100))
def test_a_mirror_is_a_fraction_of_a_million(percent: float) -> None:
    traffic = endpoint(shadows={"tumour:c": percent})
    (mirror,) = routes(envoy.edge_routes([traffic], SETTINGS, "1"))[0]["route"]["request_mirror_policies"]
    fraction = mirror["runtime_fraction"]["default_value"]
    assert fraction["denominator"] == "MILLION"
    assert 1 <= fraction["numerator"] <= 1_000_000
    assert fraction["numerator"] == pytest.approx(percent * 10_000, abs=1)


def test_only_releases_with_traffic_have_clusters_and_a_shadow_has_two() -> None:
    traffic = endpoint(shadows={"tumour:c": 5})
    document = envoy.clusters([traffic], sockets(traffic), SETTINGS, "1")
    names = [cluster["name"] for cluster in document["resources"]]
    assert names == ["shadow-hop/tumour:c", "shadow/tumour:c", "tumour:a"]


def test_a_stopped_endpoint_has_neither_routes_nor_clusters() -> None:
    stopped = endpoint(running=False, shadows={"tumour:c": 5})
    assert [r["name"] for r in routes(envoy.edge_routes([stopped], SETTINGS, "1"))] == ["unknown"]
    assert not routes(envoy.shadow_routes([stopped], SETTINGS, "1"))
    assert not envoy.clusters([stopped], {}, SETTINGS, "1")["resources"]


def test_a_shadow_at_nought_percent_is_not_mirrored_to() -> None:
    route = routes(envoy.edge_routes([endpoint(shadows={"tumour:c": 0})], SETTINGS, "1"))[0]
    assert "request_mirror_policies" not in route["route"]


def test_only_predictions_are_mirrored_and_shared_with_the_canary() -> None:
    traffic = endpoint(canary="tumour:b", canary_percent=50, shadows={"tumour:c": 100})
    for host in envoy.edge_routes([traffic], SETTINGS, "1")["resources"][0]["virtual_hosts"][:2]:
        assert host["routes"][0]["name"] == "several hosts"
        asked, others = host["routes"][1:5], [route for route in host["routes"][5:] if "route" in route]
        pinned = others.pop(0)
        assert [one["name"] for one in pinned["route"]["weighted_clusters"]["clusters"]] == ["tumour:a"]
        assert "request_mirror_policies" not in pinned["route"]
        assert len(others) >= 2
        assert all("weighted_clusters" in r["route"] and "request_mirror_policies" in r["route"] for r in asked)
        assert all(r["route"]["cluster"] == "tumour:a" for r in others)
        assert not any("request_mirror_policies" in r["route"] for r in others)


def test_every_request_to_a_release_carries_its_share_to_record() -> None:
    """Also a path that is written another way, which the release may understand: %70redict."""
    quiet = endpoint(shadows={"tumour:c": 5}).model_copy(update={"record": "off"})
    for host in envoy.edge_routes([quiet], SETTINGS, "1")["resources"][0]["virtual_hosts"][:2]:
        for route in (route for route in host["routes"] if "route" in route):
            for stamped in route["route"].get("weighted_clusters", {"clusters": [route]})["clusters"]:
                told = {one["header"]["key"]: one["header"]["value"] for one in stamped["request_headers_to_add"]}
                assert told["x-rollout-record"] == "off"


def test_an_endpoint_has_a_host_of_its_own_if_its_name_can_be_one() -> None:
    document = envoy.edge_routes([endpoint("tumour-2"), endpoint("my_model")], SETTINGS, "1")
    hosts = {host["name"]: host["domains"] for host in document["resources"][0]["virtual_hosts"]}
    assert hosts["edge-tumour-2"] == ["tumour-2.localhost"]
    assert not any("my_model" in name for name in hosts)


def test_the_hosts_of_endpoints_require_the_token_too() -> None:
    document = envoy.edge_routes([endpoint()], replace(SETTINGS, token="secret"), "1")
    for host in document["resources"][0]["virtual_hosts"][:2]:
        assert [route["name"] for route in host["routes"][:2]] == ["several hosts", "no token"]


def test_one_snapshot_under_two_names_has_two_clusters() -> None:
    both = [endpoint("tumour", tags="a"), endpoint("other", tags="a")]
    document = envoy.clusters(both, sockets(*both), SETTINGS, "1")
    assert [cluster["name"] for cluster in document["resources"]] == ["other/tumour:a", "tumour:a"]


def test_one_endpoint_is_not_the_prefix_of_another() -> None:
    both = [endpoint("tumour"), endpoint("tumour-2")]
    matches = [route["match"] for route in routes(envoy.edge_routes(both, SETTINGS, "1"))]
    assert {"prefix": "/tumour/"} in matches
    assert {"prefix": "/tumour"} not in matches


def test_the_order_of_the_endpoints_does_not_matter() -> None:
    both = [endpoint("one"), endpoint("two", shadows={"tumour:b": 10})]
    for render in (envoy.edge_routes, envoy.shadow_routes):
        assert render(both, SETTINGS, "1") == render(both[::-1], SETTINGS, "1")
    assert envoy.clusters(both, sockets(*both), SETTINGS, "1") == envoy.clusters(
        both[::-1], sockets(*both), SETTINGS, "1"
    )


def test_metrics_go_to_the_exporter_before_all_else_of_an_endpoint() -> None:
    exported = replace(SETTINGS, metrics_socket="/run/nb/metrics.sock")
    document = envoy.edge_routes([endpoint()], exported, "1")
    edge, own, _ = document["resources"][0]["virtual_hosts"]
    found = [(r["match"]["path"], r["route"]["prefix_rewrite"]) for r in edge["routes"] + own["routes"] if _metrics(r)]
    assert found == [
        ("/tumour/metrics", "/tumour/metrics"),
        ("/metrics", "/metrics"),
        ("/metrics", "/tumour/metrics"),
    ]
    for host in (edge, own):
        names = [route["name"] for route in host["routes"]]
        assert names.index("tumour metrics") < names.index("tumour")
    clusters = envoy.clusters([endpoint()], sockets(endpoint()), exported, "1")["resources"]
    assert [cluster["name"] for cluster in clusters] == ["metrics", "tumour:a"]
    # In a Compose project there is no exporter: a release answers for itself.
    assert not any(_metrics(route) for route in routes(envoy.edge_routes([endpoint()], SETTINGS, "1")))


def _metrics(route: dict[str, Any]) -> bool:
    return bool(route.get("route", {}).get("cluster") == "metrics")

"""Routes are confirmed by the Leases of all ready pods of the gateway; their counters are summed."""

import json
from datetime import UTC, datetime

import pytest

from jupyter_deploy.container_images.gateway_program.report import IN_FORCE, REFUSED, STATISTICS
from jupyter_deploy.domain.errors import RouteNotConfirmed
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.traffic import Traffic
from jupyter_deploy.targets.kubernetes.gateway.confirmation import read_reports, wait_in_force
from jupyter_deploy.targets.kubernetes.gateway.statistics import read_statistics, summed_counts, summed_overflowed
from tests.releases import release


class Cluster:
    """An API of pods and Leases; each list of Leases takes the next reports."""

    namespace = "models"

    def __init__(self, pods, *reports):
        self.pods, self.reports = pods, list(reports)

    def list_(self, kind, _selector):
        if kind == "Pod":
            return self.pods
        reports = self.reports.pop(0) if len(self.reports) > 1 else self.reports[0]
        return [{"metadata": {"name": name, "annotations": found}} for name, found in reports.items()]


def pod(name, *, ready=True, ending=False):
    metadata = {"name": name, **({"deletionTimestamp": "now"} if ending else {})}
    return {"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": str(ready)}]}}


def report(digest="", refused=""):
    return {IN_FORCE: json.dumps({"tumour": digest}), REFUSED: json.dumps({"tumour": refused} if refused else {})}


PODS = [pod("a"), pod("b"), pod("starts", ready=False), pod("ends", ending=True)]


def test_it_waits_until_each_ready_pod_has_the_routes():
    cluster = Cluster(
        PODS, {"a": report("new")}, {"a": report("new"), "b": report("old")}, dict.fromkeys("ab", report("new"))
    )
    wait_in_force(cluster, "tumour", "new", 60)
    assert len(cluster.reports) == 1


def test_it_is_shown_how_many_ready_pods_have_the_routes_and_why_one_has_not():
    words = {
        "1 of 2 gateway pods have its routes in force": {"a": report("new"), "ends": report("new")},
        "1 of 2 gateway pods have its routes in force: no": {"a": report("new"), "b": report("old", "no")},
        "": dict.fromkeys("ab", report("new")),
    }
    for expected, reports in words.items():
        assert read_reports(Cluster(PODS, reports)).lacking("tumour", "new") == expected
    assert read_reports(Cluster([], {})).lacking("tumour", "new") == ""


def test_a_refusal_ends_the_wait_with_its_reason():
    cluster = Cluster(PODS, {"a": report("new"), "b": report("old", "Envoy refuses its cds document: no")})
    with pytest.raises(RouteNotConfirmed, match="pod b says that Envoy refuses its cds document: no"):
        wait_in_force(cluster, "tumour", "new", 60)


@pytest.mark.parametrize(
    ("pods", "reports", "why"),
    [
        (PODS, {"a": report("new")}, "not by b"),
        (PODS, {"a": report("new"), "b": {IN_FORCE: "no json"}}, "not by b"),
        ([pod("a", ready=False)], {}, "no pod of the gateway is ready"),
    ],
)
def test_the_error_names_the_pods_that_lack_the_routes(pods, reports, why):
    with pytest.raises(RouteNotConfirmed, match=why):
        wait_in_force(Cluster(pods, reports), "tumour", "new", 0)


def test_counters_are_summed_over_the_pods():
    def counted(second, requests, p50):
        values = {
            "cluster.tumour_a.upstream_rq_completed": str(requests),
            "cluster.tumour_a.upstream_rq_5xx": "1",
            "cluster.tumour_a.upstream_rq_time": f"P0(nan,1) P50(nan,{p50}) P100(nan,9)",
            "vhost.edge.route.tumour_a.upstream_rq_completed": "2",
            "cluster.shadow-hop/tumour_b.upstream_rq_active_overflow": "3",
        }
        return {STATISTICS: json.dumps({"since": f"2026-12-01T10:00:0{second}+00:00", "values": values})}

    cluster = Cluster([], {"a": counted(1, 10, 5), "b": counted(2, 40, 7), "broken": {STATISTICS: "{}"}, "none": {}})
    endpoint = Endpoint(
        name="tumour",
        releases=(release("a"), release("b")),
        traffic=Traffic(stable="tumour:a", shadows={"tumour:b": 100}),
    )
    found = read_statistics(cluster)
    counts = summed_counts(endpoint, found)["tumour:a"]
    assert (counts.requests, counts.errors, counts.p50_ms) == (46, 2, 7)
    assert counts.since == datetime(2026, 12, 1, 10, 0, 1, tzinfo=UTC)
    assert summed_overflowed(endpoint, found) == {"tumour:b": 6}

"""Prometheus' text format: labels are added, families stay together, and no line can spoil the others."""

from datetime import UTC, datetime

from jupyter_deploy.domain.drift.drift import Drift, FeatureDrift
from jupyter_deploy.domain.monitoring.drift_metrics import MOST_FEATURES, drift_metrics
from jupyter_deploy.domain.monitoring.endpoint_metrics import endpoint_metrics
from jupyter_deploy.domain.monitoring.exposition import Exposition
from jupyter_deploy.domain.ramp.plan import RampPlan
from jupyter_deploy.domain.ramp.state import begin
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.traffic import Traffic
from tests.releases import release

OF_A = """# HELP nbdeploy_requests_total Requests to /predict
# TYPE nbdeploy_requests_total counter
nbdeploy_requests_total{role="canary",status="200"} 3.0
# HELP nbdeploy_requests_created Requests to /predict
# TYPE nbdeploy_requests_created gauge
nbdeploy_requests_created{role="canary",status="200"} 1.7e+09
# HELP bentoml_service_request_total Requests
# TYPE bentoml_service_request_total counter
bentoml_service_request_total{endpoint="/made/up"} 1.0
# HELP seconds Durations
# TYPE seconds histogram
seconds_bucket{le="0.1"} 1.0
seconds_bucket{le="+Inf"} 2.0
seconds_count 2.0
seconds_sum 0.5
"""


def test_labels_are_added_but_replace_none_and_families_stay_together():
    exposition = Exposition()
    for tag in ("a", "b"):
        exposition.add_text(OF_A, {"release": f"churn:{tag}", "role": "stable"})
    assert exposition.text() == (
        "# HELP nbdeploy_requests_total Requests to /predict\n"
        "# TYPE nbdeploy_requests_total counter\n"
        'nbdeploy_requests_total{release="churn:a",role="canary",status="200"} 3.0\n'
        'nbdeploy_requests_total{release="churn:b",role="canary",status="200"} 3.0\n'
        "# HELP seconds Durations\n"
        "# TYPE seconds histogram\n"
        'seconds_bucket{release="churn:a",role="stable",le="0.1"} 1.0\n'
        'seconds_bucket{release="churn:a",role="stable",le="+Inf"} 2.0\n'
        'seconds_count{release="churn:a",role="stable"} 2.0\n'
        'seconds_sum{release="churn:a",role="stable"} 0.5\n'
        'seconds_bucket{release="churn:b",role="stable",le="0.1"} 1.0\n'
        'seconds_bucket{release="churn:b",role="stable",le="+Inf"} 2.0\n'
        'seconds_count{release="churn:b",role="stable"} 2.0\n'
        'seconds_sum{release="churn:b",role="stable"} 0.5\n'
    )


def test_values_of_labels_are_escaped_and_lines_that_are_no_samples_are_left_out():
    exposition = Exposition()
    exposition.add("m", "gauge", "words", [({"feature": 'a "b"\\\nc'}, float("inf"))])
    exposition.add_text("# idle\nnot a sample\n{} 1\nown 2\n", {})
    assert exposition.text() == (
        '# HELP m words\n# TYPE m gauge\nm{feature="a \\"b\\"\\\\\\nc"} Inf\n# TYPE own untyped\nown 2\n'
    )


def test_a_revision_has_its_shares_its_ramp_and_no_gates_without_a_validation():
    ramp = begin(RampPlan(steps="20,50,100"), "tumour:b", datetime(2026, 12, 1, tzinfo=UTC))
    traffic = Traffic(stable="tumour:a", canary="tumour:b", canary_percent=20.0, shadows={"tumour:c": 50.0})
    text = endpoint_metrics(
        Endpoint(name="tumour", revision=7, releases=tuple(map(release, "abc")), traffic=traffic, ramp=ramp)
    )
    lines = text.splitlines()
    assert 'nbdeploy_release_traffic_ratio{endpoint="tumour",release="tumour:a",role="stable"} 0.8' in lines
    assert 'nbdeploy_release_traffic_ratio{endpoint="tumour",release="tumour:c",role="shadow"} 0.5' in lines
    assert 'nbdeploy_endpoint_revision{endpoint="tumour"} 7.0' in lines
    assert 'nbdeploy_ramp_step{endpoint="tumour",candidate="tumour:b"} 1.0' in lines
    phases = [line for line in lines if line.startswith("nbdeploy_ramp_phase{")]
    assert len(phases) == 7
    assert [line for line in phases if line.endswith(" 1.0")] == [
        'nbdeploy_ramp_phase{endpoint="tumour",candidate="tumour:b",phase="running"} 1.0'
    ]
    assert "gate_results" not in text


def test_a_release_of_many_features_has_a_bounded_set_of_series():
    features = [
        FeatureDrift(
            name=f"f{at:03}",
            group="inputs",
            evidence=float(at),
            reference_rows=9,
            clusters=1,
            bins=[],
            reference=[],
            now=[],
        )
        for at in range(200)
    ]
    drift = Drift(endpoint="churn", release="a", state="watching", false_alarms=0.01, features=features)
    lines = drift_metrics(drift, datetime(2026, 12, 1, tzinfo=UTC)).splitlines()
    names = [line for line in lines if line.startswith("nbdeploy_drift_e_value{")]
    assert len(names) == MOST_FEATURES
    assert names[0] == 'nbdeploy_drift_e_value{group="inputs",feature="f000"} 0.0'

"""Make Grafana's dashboard of ``init --monitoring`` with the Grafana Foundation SDK: ``python -m scripts.dashboard``.

With ``--check`` fail if the committed file is another one.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from grafana_foundation_sdk.builders import common, stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import (
    AnnotationQuery,
    Dashboard,
    DatasourceVariable,
    QueryVariable,
    Row,
    ThresholdsConfig,
)
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import GraphThresholdsStyleMode, ScaleDistribution
from grafana_foundation_sdk.models.dashboard import DataSourceRef, Threshold, ThresholdsMode, VariableRefresh
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from jupyter_deploy.validation.scaffold.monitoring_drafts import DASHBOARD

_SOURCE = DataSourceRef("prometheus", "${datasource}")
_CHOSEN = 'endpoint=~"$endpoint"'
_OF_CLIENTS = f'{_CHOSEN},role!~"probe|direct"'
_BY = "sum by (endpoint, release, role)"
_NAMES = "{{endpoint}} {{role}} {{release}}"
_HEIGHT, _WIDTH = 8, 8
_ALARM = 125

Query = tuple[str, str]
"""An expression, and the legend of its series."""


def dashboard() -> str:
    """Return the dashboard as JSON."""
    made = (
        Dashboard("nbdeploy endpoints")
        .uid("nbdeploy-endpoints")
        .description("Requests, drift and rollouts of nbdeploy's endpoints. Made by 'nbdeploy init --monitoring'.")
        .tags(["nbdeploy"])
        .refresh("30s")
        .time("now-6h", "now")
        .with_variable(DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(
            QueryVariable("endpoint")
            .label("Endpoint")
            .datasource(_SOURCE)
            .query("label_values(nbdeploy_endpoint_revision, endpoint)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
        )
        .annotation(
            AnnotationQuery()
            .name("Changes of an endpoint")
            .enable(True)
            .icon_color("blue")
            .datasource(_SOURCE)
            .expr(f"changes(nbdeploy_endpoint_revision{{{_CHOSEN}}}[$__rate_interval]) > 0")
        )
    )
    for title, panels in _rows():
        made = made.with_row(Row(title))
        for panel in panels:
            made = made.with_panel(panel)
    return json.dumps(made.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


_Panel = timeseries.Panel | stat.Panel | table.Panel


def _rows() -> list[tuple[str, list[_Panel]]]:
    requests, quantile = f"nbdeploy_requests_total{{{_OF_CLIENTS}}}", "nbdeploy_request_duration_seconds_bucket"
    durations = [
        (
            f"histogram_quantile({level}, sum by (le, endpoint, role) "
            f"(rate({quantile}{{{_OF_CLIENTS}}}[$__rate_interval])))",
            f"{{{{endpoint}}}} {{{{role}}}} p{level * 100:g}",
        )
        for level in (0.5, 0.95, 0.99)
    ]
    return [
        (
            "Requests",
            [
                _series("Requests", "reqps", [(f"{_BY} (rate({requests}[$__rate_interval]))", _NAMES)]),
                _series("Errors (5xx)", "percentunit", [(_share("5.."), _NAMES)]),
                _series("Refused requests (4xx)", "percentunit", [(_share("4.."), _NAMES)]),
                _series("Duration", "s", durations),
                _series(
                    "Queue",
                    "short",
                    [
                        (f"{_BY} (nbdeploy_requests_waiting{{{_CHOSEN}}})", f"waiting: {_NAMES}"),
                        (f"{_BY} (nbdeploy_requests_running{{{_CHOSEN}}})", f"running: {_NAMES}"),
                    ],
                ),
                _series(
                    "Records lost",
                    "short",
                    [(f"{_BY} (increase(nbdeploy_records_lost_total{{{_CHOSEN}}}[$__rate_interval]))", _NAMES)],
                ),
            ],
        ),
        (
            "Drift",
            [
                _series(
                    f"Evidence of drift: an alarm at {_ALARM}",
                    "short",
                    [(f"nbdeploy_drift_release_e_value{{{_CHOSEN}}}", _NAMES)],
                    bound=_ALARM,
                ),
                _series(
                    "Evidence by feature: the ten largest e-values",
                    "short",
                    [(f"topk(10, nbdeploy_drift_e_value{{{_CHOSEN}}})", "{{endpoint}} {{feature}}")],
                    bound=_ALARM,
                ),
                _series(
                    "Distance from the reference (Jensen-Shannon, bits)",
                    "short",
                    [(f"topk(10, nbdeploy_drift_jensen_shannon_divergence{{{_CHOSEN}}})", "{{endpoint}} {{feature}}")],
                ),
                _series("Drift alarms", "short", [(f"{_BY} (nbdeploy_drift_alarms_total{{{_CHOSEN}}})", _NAMES)]),
                _series("Watched clusters", "short", [(f"{_BY} (nbdeploy_drift_clusters_total{{{_CHOSEN}}})", _NAMES)]),
                _rows_of("Quality alarms", f"nbdeploy_quality_alarm{{{_CHOSEN}}}"),
            ],
        ),
        (
            "Rollout",
            [
                _series(
                    "Share of the requests", "percentunit", [(f"nbdeploy_release_traffic_ratio{{{_CHOSEN}}}", _NAMES)]
                ),
                _series(
                    "Ramp",
                    "short",
                    [
                        (f"nbdeploy_ramp_step{{{_CHOSEN}}}", "step: {{endpoint}} {{candidate}}"),
                        (f"nbdeploy_ramp_steps{{{_CHOSEN}}}", "steps: {{endpoint}} {{candidate}}"),
                    ],
                ),
                _rows_of("Phase of the ramp", f"nbdeploy_ramp_phase{{{_CHOSEN}}} == 1"),
                _rows_of("Results of gates", f"nbdeploy_gate_results{{{_CHOSEN}}}"),
                _now("Releases that answer", f"sum(nbdeploy_release_up{{{_CHOSEN}}})"),
                _now("Endpoints", f"count(nbdeploy_endpoint_revision{{{_CHOSEN}}})"),
            ],
        ),
    ]


def _share(status: str) -> str:
    """Return the share of the requests with a status; 0 without one."""
    all_ = f"{_BY} (rate(nbdeploy_requests_total{{{_OF_CLIENTS}}}[$__rate_interval]))"
    some = f'{_BY} (rate(nbdeploy_requests_total{{{_OF_CLIENTS},status=~"{status}"}}[$__rate_interval]))'
    return f"({some} or 0 * {all_}) / {all_}"


def _series(title: str, unit: str, queries: Sequence[Query], *, bound: float | None = None) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(title)
        .unit(unit)
        .min(0)
        .datasource(_SOURCE)
        .height(_HEIGHT)
        .span(_WIDTH)
        .targets([_query(at, *query) for at, query in enumerate(queries)])
    )
    if bound is None:
        return panel
    steps = [Threshold(value=None, color="green"), Threshold(value=bound, color="red")]
    return (
        panel.min(0.001)
        .scale_distribution(common.ScaleDistributionConfig().type(ScaleDistribution.LOG).log(10))
        .thresholds(ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
    )


def _rows_of(title: str, expression: str) -> table.Panel:
    query = _query(0, expression, "").instant().format(PromQueryFormat.TABLE)
    return table.Panel().title(title).datasource(_SOURCE).height(_HEIGHT).span(_WIDTH).with_target(query)


def _now(title: str, expression: str) -> stat.Panel:
    query = _query(0, expression, "").instant()
    return stat.Panel().title(title).datasource(_SOURCE).height(_HEIGHT).span(_WIDTH).with_target(query)


def _query(at: int, expression: str, legend: str) -> Dataquery:
    return Dataquery().expr(expression).legend_format(legend).ref_id(chr(ord("A") + at)).datasource(_SOURCE)


def main() -> int:
    """Write the dashboard, or compare it with the committed one."""
    parser = argparse.ArgumentParser(description="Make the Grafana dashboard of 'nbdeploy init --monitoring'.")
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        DASHBOARD.write_text(dashboard(), "utf-8")
        return 0
    if DASHBOARD.read_text("utf-8") == dashboard():
        return 0
    print(f"{DASHBOARD} is out of date: run 'python -m scripts.dashboard'")
    return 1


if __name__ == "__main__":
    sys.exit(main())

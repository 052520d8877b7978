"""The routes of one endpoint: shares of stable and canary, mirrors to shadows, recording (see ``documents``). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.traffic import WEIGHTS, share_in_force
from jupyter_deploy.serving.telemetry.recording import Recording

from . import parts
from .names import METRICS, cluster_name, hop_name, stat_name
from .parts import Json

STICKY_HEADER = "x-sticky-key"


def endpoint_routes(
    endpoint: Endpoint, predict_timeout: float, root: str, salt: str = "", *, waiting: bool = False
) -> list[Json]:
    """One endpoint's routes below ``root``.

    Parameters
    ----------
    salt
        Its ``endpoint_salt``; empty: none.
    waiting
        The gateway refuses requests to an idle release until it runs, so all of them have to be repeated.
    """
    name, stable_tag = endpoint.name, endpoint.traffic.stable
    stable = cluster_name(name, stable_tag)
    statistics = stat_name(stable)
    # Feedback has no pair_id: it is recorded whichever requests are sampled.
    feedback = _recorded(endpoint.recording(None, 1), stable_tag)
    recorded = _recorded(endpoint, stable_tag)
    rest: Json = {
        "cluster": stable,
        "timeout": parts.seconds(predict_timeout),
        # A health check needs an answer at once; for an idle release the gateway answers it.
        "retry_policy": parts.retry_policy(patient=waiting and endpoint.release(stable_tag).resources.idles),
    }
    below: Json = {"prefix_rewrite": "/"} if root else {}
    others: list[tuple[str, Json, Json, str]] = [
        (
            f"{name}/feedback",
            {"path": f"{root}/feedback"},
            {"prefix_rewrite": "/feedback", "retry_policy": parts.retry_policy(patient=True)},
            feedback,
        ),
        (name, {"prefix": f"{root}/"}, below, recorded),
        *([(f"{name} bare", {"path": root}, below, recorded)] if root else []),
    ]
    return [
        *_prediction_routes(endpoint, predict_timeout, root, _salt_headers(salt)),
        *(
            {
                "name": route,
                "match": match,
                "stat_prefix": statistics,
                "route": rest | more,
                "request_headers_to_add": [parts.overwrite("x-rollout-record", kept)],
            }
            for route, match, more, kept in others
        ),
    ]


def metrics_route(name: str, path: str) -> Json:
    """The route of an endpoint's metrics to the exporter; without a name, of all endpoints' metrics."""
    return {
        "name": f"{name} metrics".strip(),
        "match": {"path": path},
        "route": {"cluster": METRICS, "timeout": "10s", "prefix_rewrite": f"/{name}/metrics" if name else "/metrics"},
    }


def _prediction_routes(endpoint: Endpoint, predict_timeout: float, root: str, salt: list[Json]) -> list[Json]:
    """The routes of predictions: shared with the canary, mirrored to shadows, written to the ledger.

    A client may use the name of stable's own model; canary and shadows, whose names may differ, get the endpoint's
    name. A request for stable's version goes to stable alone and is not mirrored.
    """
    own, _, version = endpoint.traffic.stable.partition(":")
    name = "|".join(sorted({endpoint.name, own}))
    predicting, alone = _prediction(endpoint, predict_timeout), _of_stable(endpoint, predict_timeout)
    v1, v2 = f"{root}/v1/models/({name}):predict", f"{root}/v2/models/({name})"
    patterns: list[tuple[str, Json, Json, Json]] = [
        *((path, {"path": root + path}, predicting, {"prefix_rewrite": path}) for path in ("/predict", "/invocations")),
        ("/v1", parts.matches(v1), predicting, parts.rewritten(v1, f"/v1/models/{endpoint.name}:predict")),
        ("/v2", parts.matches(f"{v2}/infer"), predicting, parts.rewritten(v2, f"/v2/models/{endpoint.name}")),
        (
            "/v2 of a version",
            parts.matches(f"{v2}/versions/{version}/infer"),
            alone,
            parts.rewritten(v2, f"/v2/models/{endpoint.name}"),
        ),
    ]
    return [
        {
            "name": f"{endpoint.name}{suffix}",
            "match": match,
            "route": route | rewrite,
            **({"request_headers_to_add": salt} if salt else {}),
        }
        for suffix, match, route, rewrite in patterns
    ]


def _prediction(endpoint: Endpoint, predict_timeout: float) -> Json:
    traffic = endpoint.traffic
    # The canary is last, so that a growing canary only takes keys from stable.
    share = share_in_force(traffic.canary_percent) if traffic.canary else 0.0
    canary = round(share * WEIGHTS)
    weighted = [_weighted(endpoint, traffic.stable, "stable", WEIGHTS - canary)] if canary < WEIGHTS else []
    if traffic.canary:
        weighted.append(_weighted(endpoint, traffic.canary, "canary", canary))
        routing = parts.overwrite("x-rollout-canary", f"{traffic.canary};share={share!r}")
        for cluster in weighted:
            cluster["request_headers_to_add"].append(routing)
    route = _shared(weighted, predict_timeout)
    mirrors = [_mirror(endpoint, tag, percent) for tag, percent in traffic.shadows.items() if percent > 0]
    if mirrors:
        route["request_mirror_policies"] = mirrors
    return route


def _of_stable(endpoint: Endpoint, predict_timeout: float) -> Json:
    return _shared([_weighted(endpoint, endpoint.traffic.stable, "stable", WEIGHTS)], predict_timeout)


def _shared(weighted: Sequence[Json], predict_timeout: float) -> Json:
    return {
        "weighted_clusters": {"clusters": list(weighted), "use_hash_policy": True},
        "hash_policy": [{"header": {"header_name": STICKY_HEADER}}],
        "timeout": parts.seconds(predict_timeout),
        "retry_policy": parts.retry_policy(patient=True),
    }


def _weighted(endpoint: Endpoint, tag: str, role: str, weight: int) -> Json:
    return {
        "name": cluster_name(endpoint.name, tag),
        "weight": weight,
        "request_headers_to_add": [
            parts.overwrite("x-rollout-role", role),
            parts.overwrite("x-rollout-release", tag),
            parts.overwrite("x-rollout-endpoint", endpoint.name),
            parts.overwrite("x-rollout-record", _recorded(endpoint, tag)),
            *_nameless(endpoint),
        ],
    }


def _mirror(endpoint: Endpoint, tag: str, percent: float) -> Json:
    return {
        "cluster": hop_name(endpoint.name, tag),
        "runtime_fraction": {
            "default_value": {"numerator": max(1, round(percent * 10_000)), "denominator": "MILLION"},
        },
        "disable_shadow_host_suffix_append": True,
        # The mirror copies the primary's headers, so they are overwritten.
        "request_headers_mutations": [
            {"append": parts.overwrite("x-rollout-role", "shadow")},
            {"append": parts.overwrite("x-rollout-release", tag)},
            {"append": parts.overwrite("x-rollout-record", _recorded(endpoint, tag))},
            *({"append": header} for header in _nameless(endpoint)),
        ],
    }


def endpoint_salt(name: str, salt: str) -> str:
    """An endpoint's salt, from the gateway's: the hash of a client's key has no meaning at another endpoint."""
    return hashlib.blake2b(name.encode(), key=salt.encode(), digest_size=16).hexdigest()


def _salt_headers(salt: str) -> list[Json]:
    """The header with which a release hashes a client's sticky key."""
    return [parts.overwrite("x-rollout-salt", salt)] if salt else []


def _nameless(endpoint: Endpoint) -> list[Json]:
    """The header that keeps a caller's id out of the ledger of an endpoint that records nothing."""
    return [parts.overwrite(parts.NAMELESS, "-")] if endpoint.record == "off" else []


def _recorded(endpoint: Endpoint, tag: str) -> str:
    """The header that tells a release how to record a request."""
    return Recording(endpoint.record, endpoint.record_sample, endpoint.release(tag).redact).header

"""The building blocks of Envoy's documents: listeners, headers, logs, retries. Pure, as ``documents`` is."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


TYPES = "type.googleapis.com/envoy.extensions"

STARTING = "x-rollout-starting"
"""The header of a release's refusal while it starts (``serving/hosting/startup_responder.py``)."""

COLLECTOR = "traces"
"""The cluster of the collector of traces."""

# What a connection may hold: the rest waits at its sender. Releases hold bodies, within a budget of their own.
BUFFER_BYTES = 1024 * 1024

# Bodies up to this size are kept until the response, so that they can be retried.
RETRIED_BYTES = 4 * 1024 * 1024
_TOO_LARGE_TO_WAIT = 507  # Envoy's status for a longer body that arrives while there is no worker

# A client's idle connection, also one that was never used.
_IDLE_SECONDS = 300
_HEAD_SECONDS = 10
_CONNECTIONS = 4096

# Requests that wait for the restart of a worker are buffered, each up to RETRIED_BYTES.
_HEAP_BYTES = 1024 * 1024 * 1024
_COUNTED_BYTES_EXPONENT = 20  # streams of a mebibyte and more are counted, and reset first

# Windows of HTTP/2 clients: by default a connection can hold 256 MiB a stream.
_STREAMS = 100
_STREAM_WINDOW = 256 * 1024
_CONNECTION_WINDOW = 4 * 1024 * 1024


def seconds(value: float) -> str:
    """A protobuf Duration."""
    return f"{value:.3f}".rstrip("0").rstrip(".") + "s"


def pipe(path: str) -> Json:
    """A unix socket that only its owner may use."""
    return {"pipe": {"path": path, "mode": 0o600}}


def watched(path: str) -> Json:
    """A document that Envoy reads again when something is renamed into its folder."""
    return {
        "path_config_source": {"path": path, "watched_directory": {"path": path.rpartition("/")[0]}},
        "resource_api_version": "V3",
    }


def overwrite(header: str, value: str) -> Json:
    """Set a header in place of the client's."""
    # Header values are format strings: a literal % would start a command.
    escaped = value if header == "x-pair-id" else value.replace("%", "%%")
    return {
        "header": {"key": header, "value": escaped},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def _from_variable(header: str, variable: str) -> Json:
    """Set a header to the value of an environment variable of Envoy."""
    value = f"%ENVIRONMENT({variable})%"
    return {"header": {"key": header, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def header_is(name: str, value: str) -> Json:
    """A condition on a request's header."""
    return {"name": name, "string_match": {"exact": value}}


def header_is_not(name: str, value: str) -> Json:
    """A condition on a request's header, true also if it is missing."""
    return {**header_is(name, value), "invert_match": True, "treat_missing_header_as_empty": True}


def header_matches_not(name: str, pattern: str) -> Json:
    """A condition on a request's header, true unless a regular expression matches the whole of it."""
    return {"name": name, "string_match": {"safe_regex": {"regex": pattern}}, "invert_match": True}


def matches(pattern: str) -> Json:
    """A condition on the whole path, by a regular expression."""
    return {"safe_regex": {"regex": pattern}}


def rewritten(pattern: str, path: str) -> Json:
    """Replace the beginning of the path, ``pattern``, by ``path``."""
    return {"regex_rewrite": {"pattern": {"regex": f"^{pattern}"}, "substitution": path}}


def refusal(name: str, status: int, words: str) -> Json:
    """A route to which Envoy itself responds, with the words in a problem document."""
    return {
        "name": name,
        "match": {"prefix": "/"},
        "direct_response": {"status": status, "body": {"inline_string": words}},
    }


def contains(header: str, text: str) -> Json:
    """Match requests whose header contains the text."""
    return {"name": header, "string_match": {"contains": text}}


def retry_policy(*, patient: bool) -> Json:
    """Retry only requests that the release cannot have seen.

    ``patient``: for about fifteen seconds, in which a killed worker or pod restarts; else twice.
    """
    unseen = "connect-failure,refused-stream,reset-before-request"
    return {
        "retry_on": f"{unseen},retriable-headers" if patient else unseen,
        **({"retriable_headers": [{"name": STARTING, "present_match": True}]} if patient else {}),
        # Each pause is a random part of the interval, which grows from the base to the maximum.
        "num_retries": 120 if patient else 2,
        "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
    }


KEY_HEADER = "x-rollout-key"
"""The header by which a release on a port knows the gateway (``serving/hosting/outer_app.py``)."""


def tracing(url: str) -> Json:
    """A span for each request, which continues the client's trace; releases get its ``traceparent``."""
    where = {"uri": f"{url.rstrip('/')}/v1/traces", "cluster": COLLECTOR, "timeout": "2s"}
    return {
        "provider": {
            "name": "envoy.tracers.opentelemetry",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
                "http_service": {"http_uri": where},
                "service_name": "nbdeploy-gateway",
            },
        }
    }


def overload() -> Json:
    """Bounds on client connections and memory: first the largest requests end, then no new ones are accepted."""
    monitors, heap = f"{TYPES}.resource_monitors", "envoy.resource_monitors.fixed_heap"
    return {
        "resource_monitors": [
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": f"{monitors}.downstream_connections.v3.DownstreamConnectionsConfig",
                    "max_active_downstream_connections": _CONNECTIONS,
                },
            },
            {
                "name": heap,
                "typed_config": {
                    "@type": f"{monitors}.fixed_heap.v3.FixedHeapConfig",
                    "max_heap_size_bytes": _HEAP_BYTES,
                },
            },
        ],
        "buffer_factory_config": {"minimum_account_to_track_power_of_two": _COUNTED_BYTES_EXPONENT},
        "actions": [
            {
                "name": "envoy.overload_actions.reset_high_memory_stream",
                "triggers": [{"name": heap, "scaled": {"scaling_threshold": 0.7, "saturation_threshold": 0.95}}],
            },
            {
                "name": "envoy.overload_actions.stop_accepting_requests",
                "triggers": [{"name": heap, "threshold": {"value": 0.95}}],
            },
        ],
    }


def edge_manager(
    routes: Json, log: str, *, idle: float, arrival: float, traces: str | None = None, key_variable: str = ""
) -> Json:
    """The connection manager of clients.

    Parameters
    ----------
    key_variable
        Envoy's environment variable with the key that releases on other hosts get; empty: there is none.
    idle
        Seconds that a request may last without a byte in either direction.
    arrival
        Seconds in which a whole request must have arrived.
    """
    stamps = {
        "name": "envoy.filters.http.header_mutation",
        "typed_config": {
            "@type": f"{TYPES}.filters.http.header_mutation.v3.HeaderMutation",
            "mutations": {
                "request_mutations": [
                    {"remove_on_match": {"key_matcher": {"prefix": "x-rollout-", "ignore_case": True}}},
                    {"remove_on_match": {"key_matcher": {"prefix": "x-envoy-", "ignore_case": True}}},
                    {"append": overwrite("x-pair-id", "%UNIQUE_ID%")},
                    *([{"append": _from_variable(KEY_HEADER, key_variable)}] if key_variable else []),
                ],
                "response_mutations": [{"remove": "x-envoy-upstream-service-time"}, {"remove": STARTING}],
            },
        },
    }
    # Only predictions have a role, and only they go to the ledger.
    predictions = {"header_filter": {"header": {"name": "x-rollout-role", "present_match": True}}}
    fields = {**_LEDGER, "method": "%REQ(:METHOD)%", "path": "%PATH(NQ:ORIG_OR_PATH)%"}
    return {
        "stat_prefix": "edge",
        "server_name": "nbdeploy",
        "use_remote_address": True,
        "normalize_path": True,
        "merge_slashes": True,
        "stream_idle_timeout": seconds(idle),
        "request_headers_timeout": seconds(min(_HEAD_SECONDS, arrival)),
        "request_timeout": seconds(arrival),
        "common_http_protocol_options": {"idle_timeout": seconds(_IDLE_SECONDS)},
        "http2_protocol_options": {
            "max_concurrent_streams": _STREAMS,
            "initial_stream_window_size": _STREAM_WINDOW,
            "initial_connection_window_size": _CONNECTION_WINDOW,
        },
        "preserve_external_request_id": True,
        "always_set_request_id_in_response": True,
        "request_id_extension": _REQUEST_ID,
        "local_reply_config": _local_replies(),
        "access_log": [_json_log(log, fields, predictions)],
        "http_filters": [stamps, _ROUTER],
        **routes,
        **({"tracing": tracing(traces)} if traces else {}),
    }


def edge_listener(at: tuple[str, int], manager: Json) -> Json:
    """The listener for clients, on the only TCP port."""
    address, port = at
    listener = _listener("edge", {"socket_address": {"address": address, "port_value": port}}, manager)
    # Otherwise a second Envoy of this user could bind the same port and take half of the requests.
    return {**listener, "enable_reuse_port": False}


def own_listener(socket: str, manager: Json) -> Json:
    """The listener for nbdeploy's own requests; clients cannot use up its connections."""
    return {**_listener("own", pipe(socket), manager), "ignore_global_conn_limit": True}


def shadow_listener(socket: str, routes: Json, log: str) -> Json:
    """The listener for mirrored requests."""
    manager: Json = {
        "stat_prefix": "shadow",
        "skip_xff_append": True,
        "preserve_external_request_id": True,
        "request_id_extension": _REQUEST_ID,
        "access_log": [_json_log(log, _LEDGER)],
        "http_filters": [_ROUTER],
        **routes,
    }
    # Its connections are Envoy's own and do not count against the clients' limit.
    return {**_listener("shadow", pipe(socket), manager), "ignore_global_conn_limit": True}


_ROUTER: Json = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": f"{TYPES}.filters.http.router.v3.Router"},
}

# Without it Envoy writes its tracing decision into a digit of the client's UUID.
_REQUEST_ID: Json = {
    "typed_config": {
        "@type": f"{TYPES}.request_id.uuid.v3.UuidRequestIdConfig",
        "pack_trace_reason": False,
    }
}

NAMELESS = "x-rollout-nameless"
"""The header of requests whose caller's id stays out of the ledger, which has the header's value instead."""

_LEDGER: Json = {
    "ts": "%START_TIME(%Y-%m-%dT%H:%M:%E6SZ)%",
    "pair_id": "%REQ(X-PAIR-ID)%",
    "request_id": f"%REQ({NAMELESS}?X-REQUEST-ID)%",
    "endpoint": "%REQ(X-ROLLOUT-ENDPOINT)%",
    "release": "%REQ(X-ROLLOUT-RELEASE)%",
    "role": "%REQ(X-ROLLOUT-ROLE)%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "duration_ms": "%DURATION%",
    "record": "%REQ(X-ROLLOUT-RECORD):40%",  # mode and share; the columns may be many
}


def _listener(name: str, address: Json, manager: Json) -> Json:
    typed = {"@type": f"{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager", **manager}
    return {
        "name": name,
        "address": address,
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": typed}]}
        ],
    }


def _json_log(path: str, fields: Json, only: Json | None = None) -> Json:
    log: Json = {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": f"{TYPES}.access_loggers.file.v3.FileAccessLog",
            "path": path,
            "log_format": {"json_format": fields},
        },
    }
    return {**log, "filter": only} if only else log


def _local_replies() -> Json:
    """Envoy's own responses as problem+json (RFC 9457), like those of releases."""
    # Envoy gives some refusals no body, but each a reason.
    unreadable = "the gateway does not accept the request: %RESPONSE_CODE_DETAILS%"
    replies = {
        400: ("The request is malformed", unreadable),
        401: ("The token is missing or wrong", _BODY),
        404: ("Unknown endpoint", "unknown endpoint"),
        408: ("The request did not come in time", _BODY),
        421: ("Unknown host", _BODY),
        431: ("The headers are too large", _BODY),
        503: ("The release cannot be reached", _BODY),
        504: ("The release did not answer in time", _BODY),
        _TOO_LARGE_TO_WAIT: ("The release restarts, and a request of this size does not wait for it", _BODY),
    }
    several = {"header_filter": {"header": contains(":authority", ",")}}
    mappers: list[Json] = [{"filter": several, "body_format_override": _problem("Several hosts", _BODY)}]
    for status, (title, detail) in replies.items():
        mapper: Json = {
            "filter": {
                "status_code_filter": {
                    "comparison": {
                        "op": "EQ",
                        # Envoy requires a runtime key; this one is never set.
                        "value": {"default_value": status, "runtime_key": "nbdeploy.never_set"},
                    }
                }
            },
            "body_format_override": _problem(title, detail),
        }
        if status in (503, _TOO_LARGE_TO_WAIT):
            mapper["headers_to_add"] = [overwrite("retry-after", "1")]
            mapper["status_code"] = 503
        mappers.append(mapper)
    return {"mappers": mappers, "body_format": _problem("The gateway refused the request", unreadable)}


_BODY = "%LOCAL_REPLY_BODY%"


def _problem(title: str, detail: str) -> Json:
    return {
        "content_type": "application/problem+json",
        "json_format": {
            "type": "about:blank",
            "title": title,
            "status": "%RESPONSE_CODE%",
            "detail": detail,
            "errors": [{"loc": [], "msg": detail}],
            "request_id": "%REQ(X-REQUEST-ID)%",
        },
    }

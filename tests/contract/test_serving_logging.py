"""What a release says itself: in its log, and to a collector of traces."""

from __future__ import annotations

import json
import logging
import sys

import pytest
from test_serving_front import front, inner, model, predict, records

from jupyter_deploy.serving import Front
from jupyter_deploy.serving.telemetry.logging import configure_log_format
from jupyter_deploy.serving.telemetry.tracing import ENDPOINT, tracing

__all__ = ["front", "model", "records"]


def test_in_json_each_message_is_one_object_with_its_request(front, monkeypatch, capsys):
    monkeypatch.setenv("NBDEPLOY_LOG_FORMAT", "json")
    answer = predict(front, b'{"instances": [0]}', x_request_id="seven")
    assert answer.status_code == 500
    (said,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (said["level"], said["request_id"]) == ("error", "seven")
    assert said["message"] == "request seven: the model failed"
    assert said["details"].endswith("division by zero\n")
    assert said["ts"]


def test_the_servers_own_messages_take_the_same_form(monkeypatch):
    monkeypatch.setenv("NBDEPLOY_LOG_FORMAT", "json")
    handler = logging.StreamHandler()
    logging.getLogger("uvicorn").addHandler(handler)
    try:
        configure_log_format()
        record = logging.LogRecord("uvicorn.error", logging.WARNING, "", 0, "%s came late", ("it",), None)
        said = json.loads(handler.format(record))
    finally:
        logging.getLogger("uvicorn").removeHandler(handler)
    assert (said["level"], said["logger"], said["message"]) == ("warning", "uvicorn.error", "it came late")


def test_a_wrong_form_stops_the_start(monkeypatch):
    monkeypatch.setenv("NBDEPLOY_LOG_FORMAT", "xml")
    with pytest.raises(ValueError, match="NBDEPLOY_LOG_FORMAT must be text or json, not 'xml'"):
        Front(inner())


def test_nothing_is_traced_unless_it_is_said_where_to(monkeypatch):
    monkeypatch.delenv(ENDPOINT, raising=False)
    assert tracing("churn", "churn:1") is None


def test_who_asks_for_traces_without_what_sends_them_is_told_and_served(front, monkeypatch, capsys):
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    assert predict(front, b'{"instances": [2]}').status_code == 200
    assert "pip install 'nbdeploy[otlp]'" in capsys.readouterr().err

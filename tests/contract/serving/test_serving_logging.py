"""A release's log messages and traces."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from jupyter_deploy.serving import Front
from jupyter_deploy.serving.telemetry.logging import configure_log_format
from jupyter_deploy.serving.telemetry.tracing import ENDPOINT, tracing
from tests.contract.serving.test_serving_front import front, inner, model, predict, records

__all__ = ["front", "model", "records"]


def test_in_the_json_format_each_message_is_one_object_with_its_request_id(front, monkeypatch, capsys):
    monkeypatch.setenv("NBDEPLOY_LOG_FORMAT", "json")
    answer = predict(front, b'{"instances": [0]}', x_request_id="seven")
    assert answer.status_code == 500
    (said,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (said["level"], said["request_id"]) == ("error", "seven")
    assert said["message"] == "request seven: the model failed"
    assert said["details"].endswith("division by zero\n")
    assert said["ts"]


def test_the_servers_own_messages_have_the_same_format(monkeypatch):
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


def test_an_invalid_format_fails_the_start(monkeypatch):
    monkeypatch.setenv("NBDEPLOY_LOG_FORMAT", "xml")
    with pytest.raises(ValueError, match="NBDEPLOY_LOG_FORMAT must be text or json, not 'xml'"):
        Front(inner())


def test_without_a_collector_nothing_is_traced(monkeypatch):
    monkeypatch.delenv(ENDPOINT, raising=False)
    assert tracing("churn", "churn:1") is None


def test_without_the_exporter_the_service_logs_the_remedy_and_answers(front, monkeypatch, capsys):
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    assert predict(front, b'{"instances": [2]}').status_code == 200
    assert "pip install 'nbdeploy[otlp]'" in capsys.readouterr().err

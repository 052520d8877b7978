"""The generated service.py, word for word: a user should say "I could have written this"."""

import ast
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jupyter_deploy.artifacts.bento import class_name, requirements, service_source
from jupyter_deploy.domain.capture.artifacts import Environment, Manifest, Provenance, Snapshot, Source
from jupyter_deploy.domain.capture.signature import Signature

GOLDEN = Path(__file__).with_name("service.py.golden")


def snapshot(name="house-prices"):
    manifest = Manifest(
        name=name,
        method="predict",
        kind="sklearn.pipeline.Pipeline",
        framework="sklearn",
        signature=Signature(container="frame", instance_schema={}, answer_schema={}, answer_dtype="float64"),
        instances=[],
        predictions=[],
        stochastic=False,
        environment=Environment(
            interpreter="/usr/bin/python3", python="3.11.7", platform="linux-x86_64", distributions={}
        ),
        provenance=Provenance(
            source=Source(notebook="/home/ada/prices.ipynb", variable="model"),
            user="ada",
            captured_at=datetime(2026, 1, 1, tzinfo=UTC),
        ),
        data_fingerprint="0",
        files={},
    )
    return Snapshot(tag=f"{name}:0123456789ab", digest="sha256:ab", fingerprint="f", path="/m", manifest=manifest)


def test_the_service_is_the_golden_file():
    assert service_source(snapshot()) == GOLDEN.read_text("utf-8"), (
        "if the change is meant: python -c 'from tests.golden.test_service_source import *; "
        "GOLDEN.write_text(service_source(snapshot()))'"
    )


@pytest.mark.parametrize("name", ["a", "1st", "my_model-2", "x--y"])
def test_every_legal_name_gives_a_module_that_compiles(name):
    ast.parse(service_source(snapshot(name)))
    assert class_name(name).isidentifier()


def test_requirements_leave_out_what_no_index_offers():
    environment = Environment(
        interpreter="", python="", platform="", distributions={"torch": "2.13.0+cpu", "numpy": "2.4.6"}
    )
    assert requirements(environment) == ["torch==2.13.0", "numpy==2.4.6"]

"""Views of the records of a real model: the cell that loads an input, and the comparison of two releases."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from capturing import capture
from record_scene import scene_of, settings

import jupyter_deploy
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import InvalidInput, UnknownSource
from jupyter_deploy.domain.requests import CompareRequest, RollbackRequest, TrafficRequest
from jupyter_deploy.faces.views.comparison import COMMON
from jupyter_deploy.verbs.compare import compare
from jupyter_deploy.verbs.traffic import planned
from tests.releases import release

__all__ = ["settings"]

VISITS = pd.DataFrame(
    {
        "age": np.array([30, 40], dtype="int16"),
        "weight": np.array([60.5, np.nan], dtype="float32"),
        "sex": pd.Categorical(["f", "m"], categories=["f", "m", "x"]),
        "seen": pd.to_datetime(["2026-01-02 03:04:05.678", "2026-05-06 00:00:00.000"]),
        "note": ["é😀", None],
    }
)


class Clinic:
    def __init__(self, least):
        self.least = least

    def predict(self, frame):
        return np.where(frame["age"] > self.least, "old", "young")


@pytest.fixture(scope="module")
def captured(tmp_path_factory):
    """Two snapshots of a model of a data frame with types that JSON does not know."""
    folder = tmp_path_factory.mktemp("clinic")
    capturer = ModelCapturer(folder / "bentoml", Tolerance(), replay_timeout=120)
    return [capture(capturer, Clinic(least), VISITS, name="tumour") for least in (35, 50)]


@pytest.fixture
def clinic(settings, captured):
    stable, candidate = (release(one.tag.partition(":")[2]) for one in captured)
    scene = scene_of(settings, stable, candidate)
    for snapshot in captured:
        scene.ports.store.remember(snapshot)
    stable_version, candidate_version = (one.tag.partition(":")[2] for one in captured)
    instances = captured[0].manifest.instances
    for number in range(30):
        asked = {"inputs": instances, "late": number / 1e6}
        scene.world.record(number, stable_version, "stable", ["young", "old"], **asked)
        scene.world.record(number, candidate_version, "shadow", ["young", "old" if number % 3 else "young"], **asked)
    return scene


def test_the_cell_of_a_record_loads_its_input_as_the_model_got_it(clinic):
    for key in (clinic.keys(role="stable")[0], clinic.keys(role="shadow")[4]):
        shown = clinic.view("record", key=key)
        namespace: dict = {}
        exec(shown.cell, namespace)
        pd.testing.assert_frame_equal(namespace["X"], VISITS)
        assert namespace["record"].request_id == shown.request_id
        assert namespace["record"].ts == shown.ts
        assert shown.cell.splitlines()[-1] == "X"


def test_the_cell_finds_its_own_record_among_others_of_the_same_request_id(clinic):
    version = clinic.ports.store.endpoint("tumour").releases[0].version
    row = clinic.ports.store.remembered(f"tumour:{version}").manifest.instances[:1]
    clinic.world.record(3, version, "stable", ["young"], inputs=row, pair_id="again", late=100)
    keys = {r.pair_id: r.key for r in clinic.view("records", role="stable").records if r.request_id == "r3"}
    for pair_id, rows in (("p3", 2), ("again", 1)):
        namespace: dict = {}
        exec(clinic.view("record", key=keys[pair_id]).cell, namespace)
        assert len(namespace["X"]) == rows


def test_nothing_in_a_record_becomes_code_of_its_cell(clinic):
    version = clinic.ports.store.endpoint("tumour").releases[0].version
    evil = "r1'\"]\nimport os; os._exit(3)\n#é\\"
    clinic.world.record(77, version, "stable", ["young"], request_id=evil, inputs=[{"a": evil}], status=422)
    shown = clinic.view("record", key=clinic.keys(status=422)[0])
    namespace: dict = {}
    exec(shown.cell, namespace)
    assert namespace["X"] == [{"a": evil}]
    assert "os._exit" not in "".join(part for part in shown.cell.splitlines() if part.startswith("import"))


def test_an_input_that_the_model_does_not_accept_and_an_unknown_record_are_errors(clinic):
    version = clinic.ports.store.endpoint("tumour").releases[0].version
    clinic.world.record(1, version, "stable", ["y"], inputs=[{"age": "old"}], request_id="odd")
    clinic.world.record(2, "zzz", "shadow", ["y"], request_id="gone")
    clinic.world.record(3, version, "stable", None, inputs=None, request_id="bare")
    for request_id, error, word in (
        ("odd", InvalidInput, "does not take"), ("gone", UnknownSource, "zzz"), ("bare", InvalidInput, "record full"),
    ):  # fmt: skip
        [record] = jupyter_deploy.logs("tumour", request_id=[request_id])
        with pytest.raises(error) as caught:
            jupyter_deploy.model_input(record)
        assert word in str(caught.value)


def test_the_comparison_shows_its_verdict_its_charts_and_the_rows_that_flipped(clinic, captured):
    shown = clinic.view("comparison")
    assert (shown.stable, shown.candidate, shown.role) == (captured[0].tag, captured[1].tag, "shadow")
    assert (shown.pairs, shown.flips, len(shown.flipped)) == (30, 10, 10)
    assert shown.verdict in ("differs", "inconclusive")
    assert shown.recommended
    assert (shown.coverage.value, shown.mirrored) == (1.0, 30)
    assert list(shown.charts) == ["agreement", "latency"], "the summary is text here"
    first = shown.flipped[0]
    assert (first.pair_id, first.row, first.stable, first.candidate) == ("p27", 1, '"old"', '"young"')
    assert json.loads(first.input)["sex"] == "m"
    assert clinic.view("comparison", candidate=shown.candidate, since="1h").pairs == 0


def test_the_view_carries_what_the_verb_says(clinic):
    found = compare(CompareRequest(name="tumour"), clinic.ports, lambda _: None).model_dump(mode="json")
    shown = clinic.view("comparison").model_dump(mode="json")
    assert {name: shown[name] for name in COMMON} == {name: found[name] for name in COMMON}
    assert shown["answers"] == [
        {"answer": "young", "stable": 30, "candidate": 40},
        {"answer": "old", "stable": 30, "candidate": 20},
    ]


def test_the_endpoint_keeps_tolerance_and_segments_for_its_comparisons(clinic):
    request = TrafficRequest(name="tumour", tolerance="1%", segment=["sex", "age: <35, >=35"])
    before, after = planned(request, clinic.ports)
    clinic.ports.store.save(after, based_on=before.revision, reason="", change="segments")
    shown = clinic.view("comparison")
    assert (shown.tolerance_from, shown.relative_tolerance) == ("endpoint", 0.01)
    assert shown.segments.declared == ["sex", "age: <35, >=35"]
    assert shown.segments.declared_at is not None
    assert shown.segments.segments == []  # the records are older than the declaration
    own = clinic.view("comparison", tolerance="2%", segment=["sex"])
    assert (own.tolerance_from, own.relative_tolerance) == ("request", 0.02)
    assert {one.value: (one.rows, one.agreement.value) for one in own.segments.segments} == {
        "f": (30, 1.0),
        "m": (30, pytest.approx(2 / 3)),
    }
    card = clinic.view("endpoint")
    assert (card.tolerance, card.segments) == (0.01, ("sex", "age: <35, >=35"))
    assert planned(RollbackRequest(name="tumour"), clinic.ports)[1].comparison == before.comparison


@pytest.mark.parametrize(("segment", "part"), [("sexe", "did you mean sex"), ("region", "the columns are: age")])
def test_a_segment_by_an_unknown_column_is_refused(clinic, segment, part):
    with pytest.raises(InvalidInput) as caught:
        planned(TrafficRequest(name="tumour", segment=[segment]), clinic.ports)
    assert part in caught.value.remedy
    with pytest.raises(InvalidInput):
        clinic.view("comparison", segment=[segment])


def test_flipped_rows_are_cut(clinic, captured):
    version = captured[0].tag.partition(":")[2], captured[1].tag.partition(":")[2]
    large = [{"text": "x" * 100_000}]
    clinic.world.record(90, version[0], "stable", ["a"], inputs=large)
    clinic.world.record(90, version[1], "shadow", ["b" * 50_000], inputs=large)
    first = clinic.view("comparison").flipped[0]
    assert (len(first.input), len(first.candidate), first.stable) == (2001, 2001, '"a"')
    assert first.input.endswith("…")

"""The result page of a job, made from the stored result, reads as on the other faces."""

from types import SimpleNamespace

import pytest

from jupyter_deploy.domain.errors import InvalidInput, UnknownJob
from jupyter_deploy.domain.results import TrafficChange
from jupyter_deploy.faces.views.requests import ResultPageRequest
from jupyter_deploy.faces.views.result_page import result_page
from jupyter_deploy.store.jobs import SqliteJobs

CHANGE = TrafficChange(
    endpoint="tumour", url="http://127.0.0.1:8080/tumour", revision=3, before={"tumour:two": "shadow 100 %"},
    after={"tumour:two": "shadow 50 %"}, change="half of it", compared="<script>alert(1)</script>",
)  # fmt: skip


@pytest.fixture
def ports(tmp_path):
    return SimpleNamespace(jobs=SqliteJobs(tmp_path))


def test_the_page_of_a_finished_job_is_shown_with_its_data_escaped(ports):
    job = ports.jobs.create("traffic", {"name": "tumour"}, title="traffic of tumour", endpoint="tumour")
    ports.jobs.end(job.id, "done", result=CHANGE.model_dump(mode="json"))
    shown = result_page(ResultPageRequest(job=job.id), ports)
    assert shown.title == "traffic of tumour"
    assert "shadow 50 %" in shown.html
    assert "<script>" not in shown.html


def test_the_result_of_a_fast_verb_has_a_page_without_a_job(ports):
    result = CHANGE.model_dump(mode="json")
    assert "shadow 50 %" in result_page(ResultPageRequest(verb="traffic", result=result), ports).html
    with pytest.raises(InvalidInput, match="no result of traffic"):
        result_page(ResultPageRequest(verb="traffic", result={"revision": "three"}), ports)


def test_a_job_that_goes_on_has_nothing_to_tell(ports):
    job = ports.jobs.create("traffic", {"name": "tumour"}, title="traffic of tumour", endpoint="tumour")
    with pytest.raises(InvalidInput, match="it is queued"):
        result_page(ResultPageRequest(job=job.id), ports)
    with pytest.raises(UnknownJob):
        result_page(ResultPageRequest(job="none"), ports)

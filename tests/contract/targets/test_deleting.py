"""A deletion that ends at any of its steps is completed by the next one; with a real store and real records."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from memory_target import MemorySettings, MemoryTarget

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.deletion import DeleteRequest
from jupyter_deploy.domain.errors import Conflict, Unconfirmed, UnknownEndpoint
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.faces.views.preview import preview
from jupyter_deploy.faces.views.requests import PreviewRequest
from jupyter_deploy.store.store import SqliteStore
from jupyter_deploy.validation.reports import ValidationReports
from jupyter_deploy.verbs.change import find
from jupyter_deploy.verbs.delete import delete
from tests.contract.records.test_record_log import line, write
from tests.releases import release
from tests.validations import validation

ONE, TWO = release("one"), release("two")


class Dies(BaseException):
    """The process ends here."""


@pytest.fixture
def ports(tmp_path):
    """An endpoint with two revisions, a validation with a report, and a record, on a target in memory."""
    made = SimpleNamespace(
        home=tmp_path,
        store=SqliteStore(tmp_path, "ada"),
        targets={"local": MemoryTarget(MemorySettings(home=tmp_path, bentoml_home=tmp_path))},
        keep_revisions=3,
        log=RecordLog(tmp_path),
        reports=ValidationReports(tmp_path),
        capturer=SimpleNamespace(size=lambda _: 0),
    )
    first = Endpoint.first(ONE)
    made.store.save(first, based_on=0, reason="", change="first")
    made.store.save(first.with_release(TWO), based_on=1, reason="", change="second")
    for one in (ONE, TWO):
        made.targets["local"].start(one)
    made.targets["local"].route(made.store.endpoint("tumour"))
    made.store.keep_validation(validation(name="v1", at=now(), endpoint="tumour"))
    (tmp_path / "validations" / "v1").mkdir(parents=True)
    (tmp_path / "validations" / "v1" / "report.html").write_text("page")
    write(tmp_path, line(1) + "\n")
    return made


def run(ports, **options):
    return delete(DeleteRequest(name="tumour", **options), ports, lambda _: None)


STEPS = ["targets.local.route", "store.delete", "targets.local.forget", "log.delete", "reports.remove",
         "store.keep_deletion"]  # fmt: skip


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_the_next_call_completes_it(ports, monkeypatch, step, after):
    holder, _, name = step.rpartition(".")
    owner = ports.targets["local"] if holder.startswith("targets") else getattr(ports, holder)
    does = getattr(owner, name)

    def dies(*arguments, **options):
        if after:
            does(*arguments, **options)
        raise Dies

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, dies)
        with pytest.raises(Dies):
            run(ports, yes=True)
    complete = (step, after) == ("store.keep_deletion", True)
    if ports.store.endpoint("tumour") is None and not complete:
        with pytest.raises(Conflict, match="is not complete"):
            ports.store.intend(ONE)
        with pytest.raises(UnknownEndpoint, match="completes it"):
            find(ports, "tumour")
    if not complete:
        run(ports, yes=True)
    assert ports.store.endpoints() == []
    assert ports.store.history("tumour") == []
    assert ports.store.validations(endpoint="tumour") == []
    assert not (ports.home / "records" / "tumour").exists()
    assert list((ports.home / "validations").iterdir()) == []
    assert ports.targets["local"]._machine.running == {}
    assert ports.targets["local"]._machine.routes == {}
    ports.store.intend(ONE)
    with pytest.raises(UnknownEndpoint, match="ada deleted it on"):
        run(ports, yes=True)


def test_it_is_refused_with_its_contents_until_it_is_confirmed(ports):
    with pytest.raises(Unconfirmed, match="2 releases, 2 revisions, 1 validation, 1 record, 0 lines of feedback"):
        run(ports)
    assert run(ports, dry_run=True).revisions == 2
    assert ports.store.endpoint("tumour").revision == 2


def test_damaged_records_are_deleted_too(ports):
    (ports.home / "records" / "tumour" / "aaa" / "2-1.v1.parquet").write_bytes(b"no Parquet file")
    shown = run(ports, dry_run=True)
    assert (shown.records, "an unknown number of records" in shown.content) == (None, True)
    assert run(ports, yes=True).endpoint == "tumour"
    assert not (ports.home / "records" / "tumour").exists()


def test_the_preview_of_a_deletion_shows_its_contents_and_changes_nothing(ports):
    shown = preview(PreviewRequest(name="tumour", verb="delete", given={}, if_revision=2), ports)
    assert (shown.title, shown.asks) == ("Delete tumour", True)
    assert "Deleted permanently: 2 releases, 2 revisions" in " ".join(shown.notes)
    assert ports.store.endpoint("tumour")
    run(ports, yes=True, reason="replaced", if_revision=2)
    assert ports.store.endpoints() == []
    assert ports.store.deletion("tumour").reason == "replaced"

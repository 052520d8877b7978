"""The SQLite store."""

import multiprocessing
import os
import signal
import sqlite3
import stat
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from jupyter_deploy.domain.errors import Conflict, StoreError
from jupyter_deploy.domain.images.images import Image, Publication
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.validation.validated import in_short
from jupyter_deploy.store.store import SqliteStore
from jupyter_deploy.verbs.validation import referred_to
from tests import releases, validations


def release(version):
    return releases.release(version, name="churn")


@pytest.fixture
def store(tmp_path):
    return SqliteStore(tmp_path / "home", "ada")


def test_looking_makes_no_files(tmp_path, store):
    assert store.endpoints() == []
    assert store.revisions() == {}
    assert store.endpoint("churn") is None
    assert store.history("churn") == []
    assert not (tmp_path / "home").exists()


def test_only_the_user_can_read_it(tmp_path, store):
    store.save(Endpoint.first(release("one")), based_on=0, reason="", change="")
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "home" / "state.sqlite").stat().st_mode) == 0o600


def test_history_has_author_time_reason_and_change_newest_first(store):
    first = Endpoint.first(release("one"))
    second = first.with_release(release("two"))
    store.save(first, based_on=0, reason="begin", change="new")
    store.save(second, based_on=1, reason="try", change="shadow")
    found = store.history("churn")
    assert [(r.revision, r.by, r.reason, r.change) for r in found] == [
        (2, "ada", "try", "shadow"),
        (1, "ada", "begin", "new"),
    ]
    assert found[1].state == first
    assert store.endpoint("churn") == second
    assert store.revisions() == {"churn": 2}


def test_a_change_based_on_an_old_revision_is_a_conflict_and_changes_nothing(store):
    first = Endpoint.first(release("one"))
    second = first.with_release(release("two"))
    store.save(first, based_on=0, reason="", change="")
    store.save(second, based_on=1, reason="", change="")
    with pytest.raises(Conflict, match="at revision 2 by now"):
        store.save(second, based_on=1, reason="", change="")
    assert len(store.history("churn")) == 2


def _save(home, barrier, outcomes):
    store = SqliteStore(home, "x")
    before = store.endpoint("churn")
    barrier.wait()
    try:
        store.save(before.with_release(release(str(os.getpid()))), based_on=before.revision, reason="", change="")
        outcomes.put("saved")
    except Conflict:
        outcomes.put("conflict")


def test_of_many_processes_that_change_one_revision_exactly_one_wins(tmp_path, store):
    store.save(Endpoint.first(release("one")), based_on=0, reason="", change="")
    context = multiprocessing.get_context("spawn")
    barrier, outcomes = context.Barrier(4), context.Queue()
    workers = [
        context.Process(target=_save, args=(tmp_path / "home", barrier, outcomes), daemon=True) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    found = sorted(outcomes.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()
    assert found == ["conflict", "conflict", "conflict", "saved"]
    assert store.endpoint("churn").revision == 2


def test_a_store_of_a_newer_version_is_refused_with_a_remedy(tmp_path, store):
    store.save(Endpoint.first(release("one")), based_on=0, reason="", change="")
    with sqlite3.connect(tmp_path / "home" / "state.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="upgrade this nbdeploy"):
        store.endpoints()


def test_a_file_that_is_no_database_is_an_error_that_names_it(tmp_path, store):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "state.sqlite").write_text("not a database, but long enough to look at" * 40)
    with pytest.raises(StoreError, match=r"state\.sqlite"):
        store.endpoints()


def _intend(home, ready):
    SqliteStore(home, "x").intend(release("two"), release("three"))
    ready.set()
    signal.pause()


def test_a_start_of_a_killed_process_is_listed_as_abandoned(tmp_path, store):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    other = context.Process(target=_intend, args=(tmp_path / "home", ready), daemon=True)
    other.start()
    assert ready.wait(60)
    assert store.abandoned() == []
    other.kill()
    other.join()
    assert [r.tag for r in store.abandoned()] == ["churn:two", "churn:three"]
    store.fulfil(release("two"))
    assert [r.tag for r in store.abandoned()] == ["churn:three"]
    store.intend(release("one"), release("four"))
    store.fulfil(release("one"), release("three"), release("four"))
    assert store.abandoned() == []


def test_an_unreadable_validation_is_skipped_with_one_warning(tmp_path, store, caplog):
    good = validations.validation(validations.run())
    bad = validations.validation(validations.run(metrics=(validations.metric("a", float("inf")),)), name="bad")
    store.keep_validation(good)
    store.keep_validation(bad)  # JSON has null for what is infinite
    assert [store.validations() for _ in range(2)] == [[good], [good]]
    assert len(caplog.messages) == 1
    assert "bad" in caplog.messages[0]


def test_the_files_of_referenced_and_overridden_validations_stay(tmp_path, store):
    def found(name, verdict="pass", **more):
        ran = validations.run(executed=str(tmp_path / "validations" / f"ran-{name}" / "a.ipynb"), **more)
        whole = validations.validation(ran, name=name).model_copy(update={"verdict": verdict})
        store.keep_validation(whole)
        return in_short(whole.model_copy(update={"forced": "now" if verdict == "fail" else None}), ())

    first = Endpoint.first(release("one"))
    stages = [first.validated("churn:one", found(name, verdict)) for name, verdict in (("a", "pass"), ("b", "fail"))]
    at_stable = str(tmp_path / "validations" / "adjacent" / "a.stable.ipynb")
    stages.append(first.validated("churn:one", found("c", executed_stable=at_stable)))
    found("d")
    for number, state in enumerate(stages):
        store.save(state.model_copy(update={"revision": number + 1}), based_on=number, reason="", change="")
    assert referred_to(SimpleNamespace(store=store)) == {"b", "ran-b", "c", "ran-c", "adjacent"}


def test_publications_are_kept_newest_first_and_one_reference_once(store):
    image = Image(
        digest="sha256:1", snapshot="churn:one", snapshot_digest="sha256:0", builder="daemonless", base="base",
        platform="linux/amd64", python="3.11.2", layers=(),
    )  # fmt: skip

    def publication(tag, day, endpoint="churn", **more):
        at = datetime(2026, 1, day, tzinfo=UTC)
        return Publication(
            reference=f"localhost:5000/{tag}", image=image, endpoint=endpoint, published_at=at, user="ada", **more
        )

    assert store.publications() == []
    old, new, others = publication("old", 1), publication("new", 2), publication("others", 3, endpoint="price")
    for one in (new, others, old):
        store.keep_publication(one)
    assert store.publications() == [others, new, old]
    assert store.publications(endpoint="churn") == [new, old]
    again = publication("old", 4, forced="it must")
    store.keep_publication(again)
    assert store.publications(endpoint="churn") == [again, new]

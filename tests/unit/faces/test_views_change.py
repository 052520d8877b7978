"""The preview of a change, from values alone."""

from datetime import UTC, datetime

import pytest

from jupyter_deploy.domain.deletion import DeleteRequest
from jupyter_deploy.domain.release.endpoint import Endpoint, Revision
from jupyter_deploy.domain.requests import PromoteRequest, RollbackRequest, StopRequest, TrafficRequest
from jupyter_deploy.faces.views.change import consequences, preview_of, role_changes, title_of, touches_clients
from tests.releases import release

ONE, TWO = release("one"), release("two")
SHADOWED = Endpoint.first(ONE).with_release(TWO)
STOPPED = SHADOWED.stopped()


def said(change, before, after, history=()):
    return consequences(change, before, after, history=history, keep_revisions=3)


def test_clients_notice_canaries_promotions_starts_and_stops_and_no_copies():
    assert not touches_clients(SHADOWED, SHADOWED.with_traffic({"two": 50}, {}))
    assert touches_clients(SHADOWED, SHADOWED.with_traffic({}, {"two": 50}))
    assert touches_clients(SHADOWED, SHADOWED.promoted())
    assert touches_clients(STOPPED, STOPPED.rolled_back_to(SHADOWED))
    assert touches_clients(SHADOWED, STOPPED)


def test_the_effects_of_a_promotion_are_sentences():
    promoted = SHADOWED.promoted()
    assert said(PromoteRequest(name="tumour"), SHADOWED, promoted) == (
        "Without traffic, kept warm for 3 revisions: tumour:one.",
    )


def test_a_rollback_names_the_author_of_the_revision_and_the_releases_to_start():
    earlier = Revision(
        endpoint="tumour", revision=2, at=datetime(2026, 1, 2, 12, tzinfo=UTC), by="ada", reason="a try",
        change="tumour:two: no traffic → shadow 100 %", state=SHADOWED,
    )  # fmt: skip
    change = RollbackRequest(name="tumour", to=2)
    back = STOPPED.rolled_back_to(SHADOWED)
    assert said(change, STOPPED, back, [earlier]) == (
        "Revision 2 was made by ada, 2026-01-02 12:00 UTC: tumour:two: no traffic → shadow 100 % (a try).",
        "The endpoint is stopped: this starts it again.",
        "Started first, and tested with the example: tumour:one, tumour:two.",
    )
    assert [(row.before, row.after) for row in role_changes(STOPPED, back)] == [
        ("stopped", "stable 100 %"),
        ("stopped", "shadow 100 %"),
    ]


def test_stopping_says_that_nobody_is_answered_and_how_it_comes_back():
    shown = preview_of(StopRequest(name="tumour"), SHADOWED, STOPPED, history=(), keep_revisions=3)
    assert (shown.title, shown.asks, shown.revision) == ("Stop tumour", True, 2)
    assert [(row.tag, row.before, row.after) for row in shown.rows] == [
        ("tumour:one", "stable 100 %", "stopped"),
        ("tumour:two", "shadow 100 %", "stopped"),
    ]
    assert shown.notes == (
        "Clients get errors from then on.",
        "Requests in progress are answered first. Then these releases stop: tumour:one, tumour:two.",
        "Records and history are kept. Going back to a revision starts the endpoint again.",
    )


def test_stopping_what_is_stopped_asks_nothing():
    shown = preview_of(StopRequest(name="tumour"), STOPPED, STOPPED, history=(), keep_revisions=3)
    assert (shown.asks, shown.notes) == (False, ("The endpoint is stopped already: nothing changes.",))


def test_deleting_shows_the_contents_and_asks_also_if_it_is_stopped():
    change = DeleteRequest(name="tumour")
    for before, sentences in ((SHADOWED, 3), (STOPPED, 2)):
        shown = preview_of(change, before, STOPPED, history=(), keep_revisions=3, contents="2 releases; 3.4 MB")
        assert (shown.title, shown.asks, len(shown.notes)) == ("Delete tumour", True, sentences)
        assert "Deleted permanently: 2 releases; 3.4 MB." in shown.notes
        assert [row.after for row in shown.rows] == ["deleted", "deleted"]
    assert title_of(change, SHADOWED) == "Delete tumour"


def test_another_mode_of_recording_is_shown_and_affects_no_client():
    change = TrafficRequest(name="tumour", record="meta")
    shown = preview_of(change, SHADOWED, SHADOWED.recording("meta"), history=(), keep_revisions=3)
    assert (shown.title, shown.asks) == ("Set records meta", False)
    assert shown.notes == (
        "Recorded from then on: meta: no inputs, outputs and error messages.",
        "Clients are not affected.",
    )


def test_other_settings_of_comparisons_are_shown():
    change = TrafficRequest(name="tumour", segment=["region"])
    after = SHADOWED.comparing(None, None, ("region",), datetime.now(UTC))
    shown = preview_of(change, SHADOWED, after, history=(), keep_revisions=3)
    assert (shown.title, shown.asks) == ("Set comparison: segments region", False)
    assert shown.notes == ("Comparisons from then on: segments region.", "Clients are not affected.")


@pytest.mark.parametrize(
    ("change", "title"),
    [
        (TrafficRequest(name="tumour", canary={"tumour:two": 12.5}), "Set canary tumour:two 12.5 %"),
        (TrafficRequest(name="tumour", shadow={"tumour:two": 0}), "Set shadow tumour:two 0 %"),
        (TrafficRequest(name="tumour", tolerance="1%"), "Set comparison: tolerance 0.01"),
        (PromoteRequest(name="tumour"), "Promote the candidate"),
        (RollbackRequest(name="tumour"), "Go back to revision 1"),
    ],
)
def test_every_change_has_a_title(change, title):
    assert title_of(change, SHADOWED) == title

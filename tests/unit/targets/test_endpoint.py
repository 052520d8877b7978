"""The transitions of an endpoint and its traffic."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_deploy.domain.capture.artifacts import Source, checked_name
from jupyter_deploy.domain.errors import (
    DeployError,
    InvalidName,
    InvalidTraffic,
    NoCandidate,
    UnknownRelease,
)
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.traffic import Traffic
from jupyter_deploy.domain.stream.spec import StreamSpec
from tests import releases


def release(version, variable=None, notebook="a.ipynb"):
    return releases.release(version, name="churn", source=Source(notebook=notebook, variable=variable))


def endpoint(*versions):
    result = Endpoint.first(release(versions[0]))
    for version in versions[1:]:
        result = result.with_release(release(version))
    return result


def test_the_first_release_is_stable_and_answers_everything():
    first = endpoint("one")
    assert first.traffic.role_of("churn:one") == "stable"
    assert first.traffic.percent_of("churn:one") == 100
    assert first.revision == 1


def test_a_release_gets_a_label_which_names_it_and_changes_nothing_else():
    before = endpoint("one", "two")
    after = before.labelled("two", " wider trees ")
    assert after.release("wider trees").tag == "churn:two"
    assert (after.revision, after.traffic, after.idle_since) == (3, before.traffic, before.idle_since)
    assert after.labelled("wider trees", "").release("two").label == ""
    assert not before.stopped().labelled("two", "x").running


@pytest.mark.parametrize("label", ["x" * 61, "two\nlines", "churn:abc123", "abc123"])
def test_a_label_that_could_be_a_tag_or_is_no_line_is_refused(label):
    with pytest.raises(InvalidName):
        endpoint("one").labelled("one", label)


def test_a_later_release_starts_as_a_shadow_of_all_requests():
    second = endpoint("one", "two")
    assert second.traffic.shadows == {"churn:two": 100}
    assert second.traffic.stable == "churn:one"


def test_a_changed_model_takes_the_place_and_share_of_its_own_candidate():
    old = Endpoint.first(release("one")).with_release(release("two", "net")).with_traffic({"two": 30}, {})
    new = old.with_release(release("three", "net"))
    assert new.traffic.shadows == {"churn:three": 30}
    assert new.traffic.role_of("churn:two") == "idle"


def test_a_replaced_canary_does_not_hand_its_clients_to_new_code():
    old = Endpoint.first(release("one")).with_release(release("two", "net")).with_traffic({}, {"two": 30})
    new = old.with_release(release("three", "net"))
    assert new.traffic.canary is None
    assert new.traffic.shadows == {"churn:three": 100}


def test_keep_lets_the_earlier_candidate_run_on():
    old = Endpoint.first(release("one")).with_release(release("two", "net"))
    assert set(old.with_release(release("three", "net"), keep=True).traffic.shadows) == {"churn:two", "churn:three"}


def test_a_candidate_of_another_variable_or_notebook_is_not_replaced():
    old = Endpoint.first(release("one")).with_release(release("two", "net"))
    assert len(old.with_release(release("three", "forest")).traffic.shadows) == 2
    assert len(old.with_release(release("three", "net", "b.ipynb")).traffic.shadows) == 2


def test_shares_that_are_not_named_stay_and_zero_switches_off():
    before = endpoint("one", "two", "three").with_traffic({}, {"two": 20})
    after = before.with_traffic({"three": 0}, {})
    assert after.traffic.canary_percent == 20
    assert after.traffic.shadows == {}
    assert after.with_traffic({}, {"two": 0}).traffic.canary is None


def test_a_shadow_named_as_canary_changes_its_role():
    after = endpoint("one", "two").with_traffic({}, {"two": 20})
    assert (after.traffic.canary, after.traffic.shadows) == ("churn:two", {})
    assert after.traffic.percent_of("churn:one") == 80


@pytest.mark.parametrize("percent", [-1, 100.5, float("nan"), float("inf")])
def test_what_is_no_percentage_is_refused(percent):
    for shares in (({"two": percent}, {}), ({}, {"two": percent})):
        with pytest.raises(InvalidTraffic, match="is not a percentage"):
            endpoint("one", "two").with_traffic(*shares)


def test_stable_cannot_be_its_own_candidate_and_there_is_one_canary():
    both = endpoint("one", "two", "three")
    with pytest.raises(InvalidTraffic, match="is stable"):
        both.with_traffic({}, {"one": 20})
    with pytest.raises(InvalidTraffic, match="sum to more than 100"):
        both.with_traffic({}, {"two": 60, "three": 50})
    with pytest.raises(InvalidTraffic, match="one canary"):
        both.with_traffic({}, {"two": 20, "three": 20})


def test_an_unknown_or_ambiguous_tag_is_refused_with_the_tags_there_are():
    with pytest.raises(UnknownRelease, match="churn:ab1, churn:ab2"):
        endpoint("ab1", "ab2").with_traffic({"zz": 1}, {})
    with pytest.raises(UnknownRelease, match="several"):
        endpoint("ab1", "ab2").with_traffic({"ab": 1}, {})
    assert endpoint("ab1", "ab2").release("ab2").tag == endpoint("ab1", "ab2").release("churn:ab2").tag


def test_promote_makes_the_candidate_stable_and_keeps_other_shadows():
    after = endpoint("one", "two", "three").with_traffic({}, {"two": 20}).promoted()
    assert after.traffic == Traffic(stable="churn:two", shadows={"churn:three": 100})
    assert after.idle_since == {"churn:one": after.revision}


def test_promote_without_a_candidate_or_with_several_says_so():
    with pytest.raises(NoCandidate, match="no canary and no shadow"):
        endpoint("one").promoted()
    with pytest.raises(NoCandidate, match="2 shadows"):
        endpoint("one", "two", "three").promoted()


def test_rollback_is_a_new_revision_with_the_earlier_traffic():
    first = endpoint("one", "two")
    promoted = first.promoted()
    back = promoted.rolled_back_to(first)
    assert back.traffic == first.traffic
    assert back.revision == promoted.revision + 1


def test_a_second_rollback_goes_further_back_and_not_forth_again():
    first = endpoint("one")
    second = first.with_release(release("two"))
    third = second.promoted()
    once = third.rolled_back_to(second)
    assert (third.previous_revision, once.previous_revision) == (2, 1)
    assert once.with_traffic({"two": 5}, {}).previous_revision == 4, "a change of its own begins anew"


def test_a_rollback_does_not_restore_idle_releases():
    early = endpoint("one", "two").promoted()
    late = early
    for percent in range(1, 25):
        late = late.with_release(release(f"r{percent}"), role="stable")
    assert "churn:one" not in {r.tag for r in late.rolled_back_to(early).releases}


def test_a_release_without_traffic_is_kept_warm_for_a_few_revisions():
    state = endpoint("one", "two").promoted()
    assert {r.tag for r in state.releases_to_run(2)} == {"churn:one", "churn:two"}
    state = state.with_release(release("three"))
    assert {r.tag for r in state.releases_to_run(2)} == {"churn:one", "churn:two", "churn:three"}
    state = state.with_traffic({"three": 50}, {})
    assert {r.tag for r in state.releases_to_run(2)} == {"churn:two", "churn:three"}
    assert state.stopped().releases_to_run(2) == []


@pytest.mark.parametrize("name", ["", "Tumour", "-a", "a-", "a b", "ä", "a" * 64, "a/b", "../a"])
def test_a_name_that_bentoml_or_a_url_would_change_is_refused(name):
    with pytest.raises(InvalidName):
        checked_name(name)


def test_a_refused_name_comes_with_one_that_works():
    with pytest.raises(InvalidName, match="try 'my-model'"):
        checked_name("My Model")


VERSIONS = st.sampled_from(["one", "two", "three", "four"])
PERCENT = st.floats(-10, 120) | st.just(float("nan")) | st.integers(0, 100)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("release"), VERSIONS, st.sampled_from(["auto", "shadow", "canary", "stable"])),
            st.tuples(
                st.just("traffic"),
                st.dictionaries(VERSIONS, PERCENT, max_size=2),
                st.dictionaries(VERSIONS, PERCENT, max_size=2),
            ),
            st.tuples(st.just("promote"), st.none() | VERSIONS, st.none()),
            st.tuples(st.just("rollback"), st.integers(0, 20), st.none()),
        ),
        max_size=12,
    )
)
@settings(max_examples=300, deadline=None)
def test_no_sequence_of_changes_breaks_an_invariant(changes):
    state = endpoint("zero")
    history = [state]
    for kind, first, second in changes:
        before = state
        try:
            if kind == "release" and f"churn:{first}" != state.traffic.stable:
                state = state.with_release(release(first, variable=first), role=second)
            elif kind == "traffic":
                state = state.with_traffic(first, second)
            elif kind == "promote":
                state = state.promoted(first)
            elif kind == "rollback":
                state = state.rolled_back_to(history[first % len(history)])
        except DeployError:
            continue
        if state is before:
            continue
        history.append(state)
        traffic = state.traffic
        assert state.revision == before.revision + 1
        assert len(set(traffic.tags())) == len(traffic.tags())
        assert 0 <= traffic.canary_percent <= 100
        assert traffic.percent_of(traffic.stable) + traffic.canary_percent == pytest.approx(100)
        assert all(0 < percent <= 100 for percent in traffic.shadows.values())
        known = {r.tag for r in state.releases}
        assert set(traffic.tags()) <= known
        assert set(state.idle_since) == known - set(traffic.tags())
        assert Endpoint.model_validate_json(state.model_dump_json()) == state


def test_the_mode_of_recording_is_kept_by_every_change_and_given_back_by_a_rollback():
    first = Endpoint.first(release("aaa")).recording("meta", 0.25)
    second = first.with_release(release("bbb"))
    kept = (second, second.promoted(), second.stopped(), second.recording(None))
    assert {state.recorded for state in kept} == {"meta of 25 %"}
    off = second.with_traffic({"bbb": 10}, {}).recording("off", 1)
    assert (off.recorded, off.recording(None).recorded, off.revision) == ("off", "off", 3)
    assert off.rolled_back_to(second).recorded == "meta of 25 %"


def test_what_a_release_redacts_now_is_redacted_after_a_rollback_too():
    first = Endpoint.first(release("aaa"))
    redacted = first.with_renewed(release("aaa").model_copy(update={"redact": ("ssn",)}))
    assert redacted.rolled_back_to(first).release("aaa").redact == ("ssn",)


def test_an_endpoint_of_before_there_were_modes_records_everything():
    document = Endpoint.first(release("aaa")).model_dump(mode="json")
    del document["record"], document["record_sample"], document["releases"][0]["redact"]
    assert Endpoint.model_validate(document).recorded == "full"
    assert Endpoint.model_validate(document).release("aaa").redact == ()


def test_a_stream_stays_through_changes_and_a_rollback_gives_an_earlier_one_back():
    spec = StreamSpec(source="nats://h/rows", sink="nats://h/scores").checked()
    before = Endpoint.first(releases.release("aaa"))
    streamed = before.serving(stream=spec)
    assert (streamed.revision, streamed.stream) == (2, spec)
    grown = streamed.with_release(releases.release("bbb"))
    for after in (grown, grown.promoted(), grown.with_traffic({}, {"tumour:bbb": 20}), grown.stopped()):
        assert after.stream == spec
    assert grown.serving(stream=None).stream is None
    assert grown.rolled_back_to(before).stream is None
    assert grown.serving(stream=None).rolled_back_to(streamed).stream == spec

"""The figures of a comparison: rows, errors, latency, shares of answers, the verdict."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from record_world import World, endpoint

from jupyter_deploy.comparison import row_agreement
from jupyter_deploy.domain.evidence.agreement import Rule
from jupyter_deploy.domain.evidence.sequential import Mean, paired_difference, proportion
from jupyter_deploy.faces.render.render import text
from jupyter_deploy.records import records


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


# ---- rows


def test_rows_are_compared_where_both_answered_with_200(world):
    world.pair(1, ["a", "b"])
    world.pair(2, ["a"], None, stable_fields={"status": 500, "outputs": None}, status=500, outputs=None)
    world.pair(3, ["a"], status=422, outputs=None)
    world.pair(4, ["a"], outputs=None)  # answered, but the answer could not be written
    world.pair(5, ["a"], outputs={"not": "a list"})
    world.pair(6, [])
    found = world.compare()
    assert (found.pairs, found.rows, found.flip_count) == (6, 2, 0)


@pytest.mark.parametrize(
    ("stable", "candidate"), [(["a", "b", "c"], ["a"]), (["a"], ["a", "b", "c"]), ([], ["a", "b"])]
)
def test_an_answer_that_one_side_lacks_is_a_flip(world, stable, candidate):
    world.pair(1, stable, candidate)
    found = world.compare()
    assert (found.rows, found.flip_count) == (max(len(stable), len(candidate)), abs(len(stable) - len(candidate)))
    assert None in (found.flips[0].stable, found.flips[0].candidate)


def test_the_latest_flips_come_first_and_no_more_than_fifty(world):
    for number in range(30):
        world.pair(number, ["a", "a"], ["b", "b"], segment=f"{number % 3}-1.v1.jsonl")
    found = world.compare()
    assert (found.flip_count, len(found.flips)) == (60, 50)
    assert [(flip.pair_id, flip.row) for flip in found.flips[:3]] == [("p29", 0), ("p29", 1), ("p28", 0)]
    assert found.flips[-1].input == {"n": 5, "row": 1}


@pytest.mark.parametrize(
    ("inputs", "expected"), [(None, None), ({"x": 1}, {"x": 1}), ([], None), (["only"], "only"), ("text", "text")]
)
def test_a_flip_shows_its_input_as_far_as_it_was_recorded(world, inputs, expected):
    world.pair(1, ["a"], ["b"], stable_fields={"inputs": inputs})
    assert world.compare().flips[0].input == expected


JSON_NUMBERS = st.one_of(
    st.integers(-5, 5), st.sampled_from([0.0, 1.0, 1.0000005, 1.00001, -1.0, 1e-10, 2**53, 2**53 + 1, 1e300, -1e300])
)
SCALARS = st.one_of(JSON_NUMBERS, st.booleans(), st.none(), st.sampled_from(["", "1", "a", "é", 'q"\\', "null"]))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)


@pytest.mark.parametrize("dtype", ["float64", "int64", "str", "bool", "object", "<U5", "float32"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(VALUES, VALUES) | VALUES.map(lambda value: (value, value)), min_size=1, max_size=60))
def test_duckdb_and_the_domain_apply_the_same_rule(dtype, rows):
    rule = Rule(dtype)
    with records.database() as connection:
        connection.execute(
            "CREATE TABLE pairs AS SELECT 1 AS request, 200 AS s_status, 200 AS c_status, "
            "?::JSON AS s_outputs, ?::JSON AS c_outputs",
            [json.dumps([stable for stable, _ in rows]), json.dumps([candidate for _, candidate in rows])],
        )
        row_agreement.compare_rows(connection, rule)
        found = connection.execute('SELECT agree, gap, relative FROM compared ORDER BY "row"').fetchall()
    for (stable, candidate), (agree, *sizes) in zip(rows, found, strict=True):
        expected = rule.compare(stable, candidate)
        assert agree == expected.agree, (stable, candidate)
        if not isinstance(stable, list | dict):
            assert sizes == [expected.gap, expected.relative], (stable, candidate)


def test_numbers_differ_by_quantiles_over_the_rows_that_can_be_compared(world):
    for number in range(100):
        world.pair(number, [float(number)], [number + (0.5 if number < 50 else 0.0)])
    world.pair(100, [None, "x"], [1.0, 2.0])
    found = world.compare(dtype="float64")
    assert found.numeric_difference == {"p50": 0.25, "p90": 0.5, "p99": 0.5, "max": 0.5}
    assert found.flip_count == 52
    assert world.compare(dtype="int64").numeric_difference == {}


def test_relative_differences_are_reported_as_quantiles_with_the_request_as_the_unit(world):
    for number in range(200):
        world.pair(number, [10.0], [10.0 if number < 100 else 12.5 if number < 190 else 20.0])
    world.pair(200, [10.0] * 1000, [5.0] * 1000)  # one large request, which does not outweigh the others
    found = world.compare(dtype="float64").relative_difference
    assert {name: figure.value for name, figure in found.items()} == {"p50": 0.2, "p90": 0.2, "p99": 0.5, "max": 0.5}
    assert found["p50"].n == 201
    assert (found["p50"].interval.low, found["p50"].interval.high) == (0.0, 0.2)
    assert (found["p90"].interval.low, found["p90"].interval.high) == (0.2, 0.5)
    assert (found["p99"].interval.low, found["p99"].interval.high) == (0.5, 2.0)
    assert (found["max"].interval.low, found["max"].interval.high) == (0.5, 2.0)


def test_enough_requests_bound_a_high_quantile(world):
    for number in range(440):
        world.pair(number, [100.0], [101.0])
    p99 = world.compare(dtype="float64").relative_difference["p99"]
    assert (p99.interval.low, p99.interval.high) == pytest.approx((1 / 101, 1 / 101))


def test_a_row_that_is_no_number_on_one_side_differs_as_much_as_can_be(world):
    for number in range(10):
        world.pair(number, [1.0, None, None], [1.0, None, 1.0])
    found = world.compare(dtype="float64").relative_difference
    assert (found["p50"].value, found["p90"].value, found["max"].value) == (0.0, 2.0, 2.0)


def test_labels_have_no_relative_difference(world):
    world.pair(1, ["a", 1], ["b", 2])
    assert world.compare(dtype="object").relative_difference == {}


def test_models_of_numbers_are_not_called_different_without_a_tolerance(world):
    for number in range(500):
        world.pair(number, [100.0], [100.5])
    found = world.compare(dtype="float64")
    assert (found.verdict, found.recommendation) == ("inconclusive", "decide")
    assert "--tolerance" in found.reason
    assert "p50 0.50%" in found.reason
    assert world.compare(dtype="float64", relative=0.01).verdict == "agrees"
    assert world.compare(dtype="float64", relative=0.001).verdict == "differs"
    assert world.compare(dtype="float64", absolute=0.5).verdict == "agrees"


def test_labels_next_to_agreeing_numbers_are_judged_without_a_tolerance(world):
    for number in range(500):
        world.pair(number, [{"p": 0.5, "label": "a"}], [{"p": 0.5, "label": "b"}])
    assert world.compare(dtype="object").verdict == "differs"


def test_the_unit_of_agreement_is_the_request(world):
    for number in range(10):
        world.pair(number, ["a"] * 4, ["a", "a", "a", "b"])
    world.pair(10, ["a"] * 1000)
    found = world.compare()
    assert found.agreement == Mean({0.75: 10, 1.0: 1}).estimate()
    assert found.agreement.n == 11


def test_many_different_shares_are_rounded_to_both_sides(world):
    for number in range(280):
        world.pair(number, ["a"] * (300 + number), ["b"] + ["a"] * (299 + number))
    exact = Mean({1 - 1 / (300 + number): 1 for number in range(280)}).estimate()
    found = world.compare().agreement
    assert found.interval.low <= exact.interval.low
    assert found.interval.high >= exact.interval.high
    assert found.value == pytest.approx(exact.value, abs=1 / 256)
    assert found.interval.low == pytest.approx(exact.interval.low, abs=1 / 256)


def test_nested_answers_are_compared_element_by_element(world):
    world.pair(1, [[0.25, 0.75]], [[0.25000001, 0.74999999]])
    world.pair(2, [{"p": 0.5, "label": "a"}], [{"label": "a", "p": 0.5}])
    world.pair(3, [[0.25, 0.75]], [[0.5, 0.5]])
    found = world.compare(dtype="float64")
    assert (found.rows, found.flip_count, found.flips[0].pair_id) == (3, 1, "p3")
    assert found.numeric_difference["max"] == pytest.approx(0.25)


@pytest.mark.parametrize(("dtype", "stable", "candidate"), [("float64", 1.0, 1.01), ("int64", 100, 101)])
def test_the_tolerance_can_be_set(world, dtype, stable, candidate):
    world.pair(1, [stable], [candidate])
    assert world.compare(dtype=dtype).flip_count == 1
    assert world.compare(dtype=dtype, relative=0.1).flip_count == 0
    assert world.compare(dtype=dtype, absolute=0.001).flip_count == 1
    found = world.compare(dtype=dtype, relative=0, absolute=1)
    assert (found.flip_count, found.relative_tolerance, found.absolute_tolerance) == (0, 0, 1)


# ---- errors, latency, answers


def test_errors_are_compared_on_the_same_requests(world):
    for number in range(100):
        bad = {"status": 500, "error": {"type": "ValueError", "message": "no"}, "outputs": None}
        one, other = number in (0, 5), number % 5 == 0
        world.pair(number, stable_fields=bad if one else {}, **(bad if other else {}))
    world.record(200, "bbb", "shadow", None, status=503)
    found = world.compare()
    assert found.error_difference == paired_difference(18, 0, 82).estimate()
    assert (found.sides["stable"].errors, found.sides["candidate"].errors) == (2, 20)
    assert found.sides["candidate"].error_rate == proportion(20, 100).estimate()
    assert found.errors == {"ValueError: no": 20, "status 503": 1}
    assert (found.verdict, "errs" in found.reason) == ("differs", True)


def test_a_refusal_of_inputs_that_stable_answers_is_evidence_against_the_candidate(world):
    for number in range(60):
        world.pair(number, **({"status": 422, "outputs": None} if number < 20 else {}))
    found = world.compare()
    assert (found.verdict, "refuses 33.33%" in found.reason) == ("differs", True)
    assert found.error_difference.value == 0


def test_latency_is_compared_by_the_median_of_paired_differences(world):
    for number in range(10):
        world.pair(number, stable_fields={"latency_ms": 1.0 + number}, latency_ms=1.5 + number + 0.01 * number)
    world.pair(10, latency_ms=500.0, status=500)
    found = world.compare().latency_difference_ms
    assert found.value == pytest.approx(0.545)
    assert (found.interval.low, found.interval.high) == pytest.approx((0.50, 0.59))
    assert found.n == 10


def test_minutes_whose_latencies_depend_on_each_other_are_a_warning(world):
    for minute in range(40):
        for second in (0, 20, 40):
            world.pair(60 * minute + second, latency_ms=2.0 + (minute // 10 % 2) * 5)
    found = world.compare()
    assert found.by_minute["latency_p50_difference_ms"].n == 40
    assert any("consecutive minutes depend on each other (correlation 0.8" in note for note in found.notes)


def test_the_share_of_slow_answers_has_minutes_as_the_unit_and_a_say(world):
    for number in range(600):
        slow = number % 10 == 0
        world.pair(number, latency_ms=200.0 if slow else 2.0, stable_fields={"latency_ms": 2.0 + number / 10_000})
    found = world.compare()
    assert (found.slow_rate.n, found.slow_rate.value) == (10, pytest.approx(0.1))
    assert (found.verdict, "10.00%" in found.reason) == ("inconclusive", True)
    assert "take longer than stable's 95th percentile" in found.reason


def test_one_payload_many_times_promotes_nothing(world):
    for number in range(431):
        world.pair(number, inputs_digest="a" * 16, stable_fields={"inputs_digest": "a" * 16})
    found = world.compare()
    assert (found.pairs, found.clusters, found.distinct_inputs) == (431, 1, 1)
    assert (found.verdict, found.recommendation) == ("inconclusive", "wait")
    assert found.agreement == proportion(1, 1).estimate()
    assert "431 requests are 1 cluster (1 of equal inputs)" in found.notes[0]


def test_requests_of_one_user_are_one_unit(world):
    for number in range(60):
        world.pair(number, ["a"], ["a" if number % 3 else "b"], stable_fields={"cluster": f"{number % 6:016x}"})
    found = world.compare()
    assert (found.clusters, found.distinct_inputs, found.agreement.n) == (6, 60, 6)
    assert found.agreement == Mean({0.0: 2, 1.0: 4}).estimate()
    assert found.by_minute["agreement"] == Mean({2 / 3: 1}).estimate()


def test_an_outage_of_the_candidate_is_one_event(world):
    for number in range(400):
        world.pair(number, **({"status": 500, "outputs": None} if 100 <= number < 140 else {}))
    assert world.compare().recommendation != "stop"
    for number in range(400, 1000):
        world.pair(number, **({"status": 500, "outputs": None} if number % 60 == 0 else {}))
    assert world.compare().recommendation == "stop"


def test_a_shadow_that_never_answers_is_stopped_at_once(world):
    for number in range(8):
        world.pair(number, status=500, outputs=None)
    found = world.compare()
    assert (found.recommendation, "none of 8 requests" in found.reason) == ("stop", True)


def test_agreement_at_worst_counts_what_could_not_be_compared_as_disagreement(world):
    for number in range(20):
        world.pair(number, ["a"], ["b"] if number < 2 else None)
    for number in range(20, 25):
        world.record(number, "aaa", "stable")
        world.ledger("shadow", number, flags="UT", status=504)
    assert world.compare().agreement_worst_case == pytest.approx(0.9 * 0.8)


def test_too_few_pairs_have_no_latency_interval(world):
    for number in range(5):
        world.pair(number)
    assert world.compare().latency_difference_ms is None


def test_each_release_is_summarized_on_its_own(world):
    for number in range(20):
        world.pair(number, ["a", "b"], ["a", "a"], latency_ms=float(number))
    found = world.compare().sides
    assert (found["stable"].rows, found["stable"].answers) == (40, {"a": 20, "b": 20})
    assert found["candidate"].answers == {"a": 40, "b": 0}
    assert found["candidate"].latency_p50_ms == 9.5
    assert found["candidate"].latency_p95_ms == pytest.approx(18.05)


def test_numeric_answers_are_summarized_by_quantiles(world):
    world.pair(1, [float(n) for n in range(101)])
    side = world.compare(dtype="float64").sides["stable"]
    assert side.answers == {}
    assert (side.quantiles["min"], side.quantiles["p25"], side.quantiles["max"]) == (0.0, 25.0, 100.0)


def test_at_most_twenty_labels_are_reported_the_most_frequent_first(world):
    for number in range(30):
        world.pair(number, [f"label {number:02}"] * (30 - number))
    told = world.compare().sides["stable"].answers
    assert list(told) == [f"label {number:02}" for number in range(20)]


# ---- the whole


def test_enough_agreement_is_called_so(world):
    for number in range(440):
        world.pair(number)
    found = world.compare()
    assert (found.verdict, found.recommendation) == ("agrees", "promote")
    assert found.agreement == proportion(440, 440).estimate()


def test_too_few_pairs_have_a_forecast_and_a_verdict_has_none(world):
    for number in range(100):
        world.pair(number)
    found = world.compare()
    assert (found.recommendation, found.forecast.requests, found.forecast.more) == ("wait", 431, 331)
    assert found.forecast.hours == pytest.approx(331 / 100 * 99 / 3600)
    assert "usually decided by 431 requests, about 5 minutes at today's rate" in text(found)
    for number in range(100, 431):
        world.pair(number)
    assert world.compare().forecast is None


def test_a_stochastic_release_is_called_so(world):
    for number in range(100):
        world.pair(number, ["a"], ["b"])
    found = world.compare(endpoint(stochastic=True))
    assert (found.stochastic, found.verdict, "stochastic" in found.reason) == (True, "inconclusive", True)
    assert world.compare().verdict == "differs"


def test_a_comparison_survives_the_way_through_json(world):
    world.pair(1, ["a"], ["b"])
    found = world.compare()
    assert type(found).model_validate_json(found.model_dump_json()) == found

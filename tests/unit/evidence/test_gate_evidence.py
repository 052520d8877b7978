"""Gates on little, rare, clustered or repeated evidence: what decides, and how often that is wrong."""

import numpy as np
import pytest
from scipy.stats import binomtest

from jupyter_deploy.domain.evidence.e_values import e_value, refuted
from jupyter_deploy.domain.gates.parser import parse_gate
from jupyter_deploy.domain.validation.attempts import evidence_digest, gate_key, level_of
from jupyter_deploy.domain.validation.validation import Metric
from jupyter_deploy.faces.kernel.metrics import measure
from jupyter_deploy.validation import bootstrap
from jupyter_deploy.validation.judge import Statistician
from jupyter_deploy.validation.metric_messages import MetricCollector
from jupyter_deploy.validation.shares import clopper_pearson


def recorded(name="m", **given):
    """The metrics as the judge gets them: measured in a kernel, sent as documents."""
    collector = MetricCollector()
    for one in measure(name, **given):
        collector.take(1, None, one.document())
    assert collector.problem is None
    return collector.metrics


def judged(gate, metrics, attempt=1, stable=None):
    return Statistician().judge(parse_gate(gate), metrics, stable, attempt)


def recall(y, p):
    return float(np.mean(p[y == 1]))


def few_positives(positives, missed, n=100):
    y = (np.arange(n) < positives).astype(int)
    return y, np.where(np.arange(n) < missed, 0, y)


def test_a_few_lucky_positives_are_no_certainty():
    """Five of 100 rows are positive and all are recalled: every resample has the recall 1."""
    metrics = recorded("recall", rows=few_positives(5, 0), statistic=recall)
    result = judged("recall >= 0.95", metrics)
    assert result.verdict == "inconclusive"
    assert "Clopper-Pearson of 5 rows of the rarer class" in result.method
    assert judged("recall >= 0.4", metrics).verdict == "pass"
    many = recorded("recall", rows=few_positives(90, 0, 200), statistic=recall)
    assert judged("recall >= 0.95", many).verdict == "pass"


def test_replicates_that_hardly_vary_are_joined_to_an_exact_interval():
    result = judged("recall >= 0.8", recorded("recall", rows=few_positives(20, 1), statistic=recall))
    assert result.verdict == "inconclusive"
    assert "joined to Clopper-Pearson" in result.method


def test_replicates_without_variation_and_without_classes_are_undecided():
    alike = Metric(name="gini", value=0.7, n=5_000, replicates=(0.7,) * 1000)
    assert judged("gini >= 0.5", [alike]).verdict == "inconclusive"
    assert "no resample changes it" in judged("gini >= 0.5", [alike]).sentence
    equal = alike.model_copy(update={"informative": 40})
    assert judged("gini >= stable - 0.1", [equal], stable=[equal.model_copy()]).verdict == "inconclusive"


def test_rows_that_hardly_differ_are_undecided():
    losses = np.where(np.arange(300) < 3, 2.0, 0.5)
    result = judged("loss <= 0.6", recorded("loss", rows=losses))
    assert result.verdict == "inconclusive"
    assert "only 3 of 300 rows differ from the others, 5 are needed" in result.sentence


@pytest.mark.parametrize(("positives", "bound"), [(20, 0.95), (20, 0.8)])
def test_recall_exactly_at_its_bound_seldom_passes(positives, bound):
    rng = np.random.default_rng(3)
    y = (np.arange(100) < positives).astype(int)
    passes = 0
    for _ in range(60):
        p = np.where(y == 1, rng.random(100) < bound, 0)
        passes += judged(f"recall >= {bound}", recorded("recall", rows=(y, p), statistic=recall)).verdict == "pass"
    assert passes <= 5  # 2.5 % of 60 nominally; 36 % passed of the first case


@pytest.mark.parametrize(("successes", "n"), [(0, 20), (3, 30), (999, 1000), (1000, 1000)])
def test_exact_intervals_are_those_of_scipy(successes, n):
    found = clopper_pearson(successes, n)
    expected = binomtest(successes, n).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_share_near_one_seldom_fails_wrongly():
    """Wilson's interval failed a true 0.999 in up to 16 % of the samples."""
    n, truth = 170, 0.999
    failed = [judged(f"m >= {truth}", [Metric(name="m", value=k / n, n=n, share=True)]).verdict for k in range(n + 1)]
    chance = np.random.default_rng(1).binomial(n, truth, 20_000)
    assert np.mean([failed[k] == "fail" for k in chance]) <= 0.025


def test_a_share_is_declared_with_its_rows():
    with pytest.raises(Exception, match="a share needs the number of its rows"):
        list(measure("accuracy", value=0.9, share=True))
    with pytest.raises(Exception, match="is no share"):
        list(measure("rmse", value=2.0, n=30, share=True))
    [share] = recorded("accuracy", value=0.9, n=50, share=True)
    assert judged("accuracy >= 0.89", [share]).verdict == "inconclusive"


def test_the_levels_of_all_attempts_spend_five_percent():
    assert level_of(1) == 0.95
    assert sum((1 - level_of(k)) / 2 for k in range(1, 10_000)) == pytest.approx(0.05, abs=1e-5)


@pytest.mark.parametrize("statistic", ["share", "mean"])
def test_twenty_attempts_at_a_gate_seldom_pass_once(statistic, monkeypatch):
    monkeypatch.setattr(bootstrap, "RESAMPLES", 300)
    rng = np.random.default_rng(5)
    ever = 0
    for _ in range(40):
        for attempt in range(1, 21):
            rows = rng.random(200) < 0.9 if statistic == "share" else rng.normal(0.9, 0.3, 200)
            if judged("m >= 0.9", recorded(rows=rows), attempt).verdict == "pass":
                ever += 1
                break
    assert ever <= 4  # 39 % without the levels


def test_a_repeated_attempt_says_so():
    result = judged("m >= 0.5", recorded(rows=np.arange(100) < 80), attempt=3)
    assert result.attempt == 3
    assert "(attempt 3, so by an interval of 99.1667 %)" in result.sentence
    assert result.interval.level == pytest.approx(1 - 0.1 / 12)


def test_an_attempt_is_known_by_its_snapshot_data_and_gate_and_its_rows():
    gate = parse_gate("m >= 0.5")
    key = {"snapshot": "a", "stable": None, "notebook": "n.ipynb", "parameters": {"seed": 1}, "traffic": None}
    same = gate_key(gate, **key)
    assert gate_key(parse_gate("m  >=  50%"), **key) == same
    for change in ({"snapshot": "b"}, {"parameters": {"seed": 2}}, {"traffic": "1d"}, {"notebook": "o.ipynb"}):
        assert gate_key(gate, **(key | change)) != same
    rows = recorded(rows=[1, 0, 1])
    assert evidence_digest(gate, rows, None) == evidence_digest(gate, recorded(rows=[1, 0, 1]), rows)
    assert evidence_digest(gate, rows, None) != evidence_digest(gate, recorded(rows=[1, 1, 0]), None)
    assert evidence_digest(gate, (), None) is None


def test_a_subgroup_of_one_class_is_undecided():
    """An area under a curve needs both classes; scikit-learn raises, or returns NaN with a warning."""

    def area(y, score):
        if len(set(y.tolist())) < 2:
            raise ValueError("Only one class is present in y_true.\nROC AUC score is not defined in that case.")
        return float(np.mean(score[y == 1][:, None] > score[y == 0][None, :]))

    rng = np.random.default_rng(2)
    y = np.arange(200) % 2
    site = np.where((y == 1) & (np.arange(200) < 60), "B", "A")
    metrics = recorded("auc", rows=(y, y + rng.normal(0, 1, 200)), statistic=area, by={"site": site})
    assert [metric.group for metric in metrics] == [{}, {"site": "A"}]
    result = judged("auc[site=B] >= 0.5", metrics)
    assert result.verdict == "inconclusive"
    assert result.sentence == "auc[site=B] is not defined: its 30 rows have one class: inconclusive"


def test_a_heavy_tail_is_warned_of():
    rng = np.random.default_rng(8)
    heavy = rng.standard_t(1.5, 500) * 10
    assert (
        "heavy tail: the largest 1 % of the squares carry"
        in judged("rmse <= 1e9", recorded("rmse", rows=heavy, statistic="rms")).sentence
    )
    for n in (30, 149):
        few = judged("rmse <= 1e9", recorded("rmse", rows=rng.normal(0, 1, n), statistic="rms"))
        assert few.sentence.endswith(f"pass ({n} rows are few for an RMSE)")
    student = [judged("r <= 9", recorded("r", rows=rng.standard_t(3, 1_000), statistic="rms")) for _ in range(20)]
    assert sum("heavy tail" in one.sentence for one in student) >= 16
    for n in (50, 150, 1_000):
        usual = judged("rmse <= 1e9", recorded("rmse", rows=rng.normal(0, 1, n), statistic="rms"))
        assert "heavy" not in usual.sentence


def visits(rng, share, patients=40, rows=25, icc=0.3):
    """Zeros and ones of patients whose own shares vary: the intraclass correlation is ``icc``."""
    a = share * (1 - icc) / icc
    own = rng.beta(a, a * (1 - share) / share, patients)
    return (rng.random((patients, rows)) < own[:, None]).ravel(), np.repeat(np.arange(patients), rows)


@pytest.mark.parametrize("statistic", ["mean", "function", "rms"])
def test_rows_of_the_same_patients_are_counted_as_patients(statistic):
    """With each row on its own, 25 % of the gates exactly at their bound passed."""
    rng = np.random.default_rng(4)
    looks = 40 if statistic == "function" else 100
    passes = 0
    for _ in range(looks):
        rows, patient = visits(rng, 0.8)
        if statistic == "mean":
            passes += judged("m >= 0.8", recorded(rows=rows, cluster=patient)).verdict == "pass"
        elif statistic == "function":
            metrics = recorded(rows=(rows,), statistic=np.mean, cluster=patient)
            passes += judged("m >= 0.8", metrics).verdict == "pass"
        else:
            metrics = recorded(rows=np.where(rows, 1.0, 3.0), statistic="rms", cluster=patient)
            passes += judged(f"m <= {np.sqrt(0.8 + 9 * 0.2)}", metrics).verdict == "pass"
    assert passes <= 0.08 * looks


def test_clusters_pair_with_stables():
    rng = np.random.default_rng(6)
    stable, patient = visits(rng, 0.8)
    better = stable | (rng.random(1000) < 0.3)
    mine, theirs = recorded(rows=better, cluster=patient), recorded(rows=stable, cluster=patient)
    result = judged("m >= stable", mine, stable=theirs)
    assert result.verdict == "pass"
    assert "1000 rows in 40 clusters, paired by place" in result.method
    assert judged("m >= stable - 0.01", mine, stable=recorded(rows=stable)).verdict == "pass"
    p95 = [recorded("ms", rows=rng.gamma(2, 1, 1000), statistic="p95", cluster=patient) for _ in range(2)]
    assert judged("ms <= 2 * stable", p95[0], stable=p95[1]).verdict == "pass"


def test_too_few_clusters_are_undecided():
    result = judged("m >= 0.1", recorded(rows=np.arange(1000) % 2, cluster=np.arange(1000) % 6))
    assert result.verdict == "inconclusive"
    assert "6 clusters are too few, 20 are needed" in result.sentence
    with pytest.raises(Exception, match="row 1 has no cluster"):
        list(measure("m", rows=[1, 0], cluster=["a", None]))


def test_evidence_beyond_a_bound_names_failures_at_a_false_discovery_rate():
    assert e_value(-1.0, 1.0, 0.95) == 0.0
    assert e_value(1.0, 0.0, 0.95) is None
    rng = np.random.default_rng(9)
    z = rng.normal(0, 1, (2_000, 20))
    at_bound = np.array([[e_value(one, 1.959963984540054, 0.95) for one in row] for row in z])
    assert at_bound.mean() <= 1.1
    assert np.mean([bool(refuted(row)) for row in at_bound.tolist()]) <= 0.02
    assert refuted([0.0] * 18 + [e_value(5, 1.96, 0.95), 1.0]) == [18]
    assert refuted([]) == []


def test_few_skewed_rows_seldom_pass_exactly_at_their_bound(monkeypatch):
    """By the BCa bootstrap, 6 to 7 % of them passed."""
    monkeypatch.setattr(bootstrap, "RESAMPLES", 300)

    def passes():
        rng = np.random.default_rng(12)
        return sum(judged("m <= 2", recorded(rows=rng.gamma(1, 2, 30))).verdict == "pass" for _ in range(300))

    assert passes() <= 0.045 * 300
    monkeypatch.setattr(bootstrap, "STUDENTIZED", 0)
    assert passes() > 0.045 * 300, "the simulation shows no difference"

"""A canary behind a running gateway: records have its share in force and the users, and a comparison uses both."""

from collections import defaultdict
from pathlib import Path

import httpx

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.evidence.record_pages import RecordFilter
from tests.e2e.conftest import ROW, until


def test_records_have_the_share_in_force_and_a_comparison_counts_users(home, plain_snapshots):
    tags, home.environment["BENTOML_HOME"] = plain_snapshots
    url = home.json("deploy", tags[1.0], "--trust")["url"]
    canary = home.json("deploy", tags[0.001], "--trust", "--role", "canary", "--percent", "20")["release"]
    log = RecordLog(Path(home.environment["NBDEPLOY_HOME"]))
    users = [f"user-{number}" for number in range(40)]
    with httpx.Client(base_url=url, trust_env=False) as client:

        def ask_all():
            for user in users:
                told = {"x-sticky-key": user, "x-request-id": user, "x-rollout-canary": f"{canary};share=1"}
                client.post("/predict", json={"instances": [ROW]}, headers=told).raise_for_status()

        ask_all()
        home.json("traffic", "churn", "--canary", f"{canary}=50")
        ask_all()
        ask_all()
    until(lambda: len(log.records("churn", RecordFilter(request_ids=users))) == 3 * len(users))
    records = log.records("churn", RecordFilter(request_ids=users))
    assert {record.canary for record in records} == {canary}
    assert [record.share for record in records] == [0.2] * len(users) + [0.5] * 2 * len(users)
    clusters = defaultdict(set)
    for record in records:
        clusters[record.request_id].add(record.cluster)
    assert len({frozenset(of_user) for of_user in clusters.values()}) == len(users)
    assert all(len(of_user) == 1 for of_user in clusters.values())
    assert not any(user in record.cluster for user in users for record in records)
    compared = home.json("compare", "churn")
    assert (compared["role"], compared["clusters"], compared["distinct_inputs"]) == ("canary", len(users), 1)
    assert compared["error_difference"]["n"] == len(users)
    assert compared["recommendation"] == "wait"
    assert compared["forecast"]["requests"] > 3 * len(users)
    assert "until a verdict" in home.run("compare", "churn").stdout

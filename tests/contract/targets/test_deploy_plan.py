"""A deploy computes its plan once, and again only if another process moved the endpoint's revision."""

import pytest

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.requests import DeployRequest, TrafficRequest
from jupyter_deploy.verbs import deploy_plan
from jupyter_deploy.verbs.deploy import deploy
from jupyter_deploy.verbs.traffic import traffic
from tests.gating import make_world
from tests.selections import row, table


@pytest.fixture
def world(tmp_path, monkeypatch):
    return make_world(tmp_path, monkeypatch)


@pytest.fixture
def revisions(monkeypatch):
    """The revisions of the endpoint that a plan was computed for; None: no endpoint."""
    computed = []

    def plan(request, name, before, snapshot, ports, **options):
        computed.append(before and before.revision)
        return deploy_plan.plan_deploy(request, name, before, snapshot, ports, **options)

    monkeypatch.setattr("jupyter_deploy.verbs.deploy.plan_deploy", plan)
    return computed


def change_during_build(world, monkeypatch):
    """Change the endpoint's traffic while the next bento is built."""
    build = world.ports.builder.build

    def built(snapshot):
        traffic(TrafficRequest(name="tumour", record="meta"), world.ports, world.told.append)
        return build(snapshot)

    monkeypatch.setattr(world.ports.builder, "build", built)


def test_a_plan_is_computed_once(world, revisions):
    world.deploy("a")
    world.deploy("b", validate=[world.notebook("checks.ipynb", "metric('a', 1)", gates=["a >= 0"])])
    world.deploy("b")
    assert revisions == [None, 1, 2]
    assert world.endpoint().revision == 2, "the last deploy changes nothing"


def test_a_plan_is_computed_again_if_the_revision_moved(world, revisions, monkeypatch):
    world.deploy("a", validate=[world.notebook("checks.ipynb", "metric('a', 1)", gates=["a >= 0"])])
    change_during_build(world, monkeypatch)
    deployed = world.deploy("b")
    assert revisions == [None, 1, 2]
    assert (deployed.revision, world.endpoint().record) == (3, "meta"), "the change of the other process stays"
    assert len(world.ran) == 2, "the gates are the same, so their result counts"


def test_a_release_keeps_the_table_of_its_row_and_the_history_the_sentence(world):
    rows = [row("tumour", 0.9, 1.0).model_copy(update={"tag": f"tumour:{version}"}) for version in "ab"]
    found = table([rows[0], rows[1].model_copy(update={"name": "forest"})], "latency_p99_ms <= 5")
    world.deploy("a", choice=found.model_dump_json())
    world.deploy("b", choice=found, reason="it is quicker")
    first, second = world.endpoint().releases
    assert (first.choice.chosen, second.choice.chosen) == ("tumour", "forest")
    assert second.choice.constraints == ("latency_p99_ms <= 5",)
    reasons = [one.reason for one in world.ports.store.history("tumour")]
    assert reasons == ["it is quicker", first.choice.words]
    with pytest.raises(InvalidInput, match=r"no row of tumour:c"):
        world.deploy("c", choice=found)
    assert world.endpoint().revision == 2


def test_another_choice_of_the_release_in_force_is_a_change_and_the_same_one_is_none(world):
    rows = [row(name, 0.9, 1.0).model_copy(update={"tag": "tumour:a"}) for name in ("stable", "forest")]
    first, again = table(rows), table(rows, "latency_p99_ms <= 5")
    for choice, revision in ((None, 1), (first, 2), (first, 2), (None, 2), (again, 3), (again, 3)):
        assert world.deploy("a", choice=choice).revision == revision
    kept = world.endpoint().releases[0].choice
    assert (kept.chosen, kept.constraints) == ("forest", ("latency_p99_ms <= 5",)), "the row stable has the same tag"
    assert world.ports.store.history("tumour")[0].reason == kept.words


def test_a_choice_is_refused_for_a_model_that_is_captured_only_then(world):
    found = table([row("forest", 0.9, 1.0)])
    with pytest.raises(InvalidInput, match="stored snapshot"):
        deploy(DeployRequest(source="train.ipynb", name="x", choice=found), world.ports, world.told.append)

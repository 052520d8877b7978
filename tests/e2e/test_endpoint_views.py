"""The panels' documents of a real endpoint: views, previews, and programs that call it when pasted."""

import ast
import json
import subprocess
import sys
from types import SimpleNamespace

import httpx
import pytest

from jupyter_deploy.domain.errors import Conflict, InvalidInput, UnknownEndpoint
from jupyter_deploy.faces.views.table import VIEWS
from jupyter_deploy.wiring import Wiring
from tests import notebooks
from tests.e2e.conftest import ROW, Load, until
from tests.e2e.processes import processes

ODD = """
import pandas as pd
X = pd.DataFrame({
    "it's \\"größe\\"": [1.5, 2.25],
    "$HOME `id` \\\\n !x": ["it's 5 o'clock \\"now\\" \\N{PILE OF POO} </script> )\\" )-\\"", "b"],
    "__proto__": ["JSON", "x"],
    "n": [2**60 + 1, 7],
})

def score(table):
    return ["|".join(map(str, row)) for row in table.itertuples(index=False)]
"""


@pytest.fixture(scope="module")
def world(shared_home, plain_snapshots, tmp_path_factory):
    """``churn`` with a stable release and a shadow, ``odd`` with a table of odd names; and what a view says of them."""
    home = shared_home
    tags, home.environment["BENTOML_HOME"] = plain_snapshots
    notebook = notebooks.write(tmp_path_factory.mktemp("odd") / "odd.ipynb", ODD)
    home.run("deploy", tags[1.0], "--trust")
    url = home.json("deploy", tags[0.01], "--trust", "--label", "weaker")["url"]
    home.run("deploy", notebook, "--name", "odd", "--model", "score", "--example", "X")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("NBDEPLOY_HOME", "NBDEPLOY_PORT", "BENTOML_HOME"):
            patch.setenv(name, home.environment[name])
        ports = Wiring().ports

        def view(of, **given):
            found = VIEWS[of]
            shown = found.function(found.request(**given), ports)
            return found.document.model_validate_json(shown.model_dump_json())

        yield SimpleNamespace(home=home, view=view, url=url, one=tags[1.0], two=tags[0.01])


def run(language, text, folder):
    """Run a pasted program; its output."""
    file = folder / "snippet.R"
    file.write_text(text, "utf-8")
    command = {
        "curl": ["bash", "-c", text],
        "python": [sys.executable, "-c", text],
        "javascript": ["node", "--input-type=module", "-e", text],
        "r": ["Rscript", "--vanilla", str(file)],
    }[language]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    return ast.literal_eval(ended.stdout) if language == "python" else json.loads(ended.stdout)


ANSWER = '1.5|it\'s 5 o\'clock "now" \N{PILE OF POO} </script> )" )-"|JSON|1152921504606846977'


@pytest.mark.parametrize("language", ["curl", "python", "r", "javascript"])
def test_a_pasted_program_sends_the_example_with_any_characters(world, language, tmp_path):
    shown = world.view("form", name="odd")
    text = next(snippet.text for snippet in shown.snippets if snippet.language == language)
    assert run(language, text, tmp_path)["predictions"] == [ANSWER]


def test_the_list_has_the_health_and_the_request_rate_of_each_endpoint(world):
    first = {row.name: row for row in world.view("endpoints").endpoints}
    churn = first["churn"]
    assert (churn.url, churn.running, churn.healthy, churn.words) == (f"{world.url}/predict", True, True, "healthy")
    assert (churn.stable, churn.candidates, churn.revision) == (world.one, 1, 2)
    assert churn.changed_at is not None
    with Load(world.url, clients=1) as load:
        load.wait_for(5)
        until(lambda: next(r for r in world.view("endpoints").endpoints if r.name == "churn").rate)


def test_an_endpoint_shows_cards_with_live_counts(world):
    with Load(world.url, clients=1) as load:
        load.wait_for(5)
        until(lambda: all(card.counts and card.counts.rates for card in world.view("endpoint", name="churn").cards))
    shown = world.view("endpoint", name="churn")
    assert [(card.tag, card.role, card.health) for card in shown.cards] == [
        (world.one, "stable", "healthy"),
        (world.two, "shadow", "healthy"),
    ]
    assert all(card.counts.requests >= 5 and card.counts.errors == 0 for card in shown.cards)
    counted = [card.counts for card in shown.cards]
    assert [one.since for one in counted] == sorted(one.since for one in counted), "the shadow came later"
    until(lambda: all(card.counts.recorded for card in world.view("endpoint", name="churn").cards))
    assert [row.revision for row in shown.history] == [2, 1]
    one = world.one.partition(":")[2][:8]
    assert [row.state for row in shown.history] == [
        f"stable {one} 100 %, shadow weaker 100 %",
        f"stable {one} alone, 100 %",
    ]
    assert [(pair.a, pair.b) for pair in shown.history[0].diffs] == [(world.one, world.two)]


def test_a_card_shows_the_resources_in_use_and_the_log_of_the_release(world):
    card = world.view("endpoint", name="churn").cards[0]
    card = until(lambda: (one := world.view("endpoint", name="churn").cards[0]).usage.cpu is not None and one)
    assert 0 <= card.usage.cpu < 64
    assert 2**24 < card.usage.memory < 2**33
    assert (card.usage.workers, card.usage.most_workers, card.usage.most_memory) == (1, "1", None)
    assert card.usage.waiting == 0
    shown = world.view("release_log", name="churn")
    assert (shown.release, shown.note, shown.cut) == (world.one, "", False)
    assert shown.lines
    found = world.view("release_log", name="churn", release=world.two, text="no such text")
    assert (found.release, found.lines, found.note) == (world.two, (), "no line has this text")


def test_refused_requests_are_a_figure_of_the_card_and_of_describe_with_the_reason(world):
    before = world.view("endpoint", name="churn").cards[0].counts
    row = {**ROW, next(iter(ROW)): None}
    for _ in range(3):
        answer = httpx.post(f"{world.url}/predict", json={"instances": [row]}, trust_env=False)
        assert answer.status_code == 422
    counts = until(
        lambda: (c := world.view("endpoint", name="churn").cards[0].counts).requests - before.requests >= 3 and c
    )
    assert (counts.refused - before.refused, counts.errors - before.errors) == (3, 0)
    described = world.home.json("describe", "churn")
    refused = [(r["role"], r["status"], r["reason"], r["requests"]) for r in described["refusals"]]
    assert ("stable", 422, f"{next(iter(ROW))}: must be a whole number, not null", 3) in refused
    text = world.home.run("describe", "churn").stdout
    assert "requests refused" in text.splitlines()[0]
    assert "requests refused in the last 24 hours" in text


def test_a_preview_shows_the_comparison_of_the_release_that_gains_clients_and_changes_nothing(world):
    with Load(world.url, clients=1) as load:
        load.wait_for(20)
    asked = {"name": "churn", "verb": "promote", "given": {}, "if_revision": 2}
    shown = until(lambda: (found := world.view("preview", **asked)).evidence[0].verdict and found)
    assert (shown.title, shown.asks, shown.revision) == ("Promote the candidate", True, 2)
    assert [(row.tag, row.before, row.after) for row in shown.rows] == [
        (world.two, "shadow 100 %", "stable 100 %"),
        (world.one, "stable 100 %", "no traffic"),
    ]
    (evidence,) = shown.evidence
    assert (evidence.role, evidence.verdict in ("inconclusive", "agrees", "differs")) == ("shadow", True)
    assert evidence.reason.startswith("The two agree on ")
    copies = world.view("preview", name="churn", verb="traffic", given={"shadow": {world.two: 40}})
    assert (copies.asks, copies.evidence, copies.notes) == (
        False,
        (),
        ("Clients are not affected: only shadow copies change.",),
    )
    stop = world.view("preview", name="churn", verb="stop", given="{}")
    assert (stop.title, stop.asks, stop.evidence) == ("Stop churn", True, ())
    assert world.view("endpoint", name="churn").revision == 2


def test_a_preview_of_what_somebody_saw_before_is_a_conflict_and_of_nonsense_an_error_in_words(world):
    with pytest.raises(Conflict):
        world.view("preview", name="churn", verb="promote", if_revision=1)
    with pytest.raises(Conflict):
        world.view("preview", name="churn", verb="stop", if_revision=1)
    with pytest.raises(InvalidInput, match="130 is not a percentage"):
        world.view("preview", name="churn", verb="traffic", given={"canary": {world.two: 130}})
    with pytest.raises(InvalidInput, match="an option is wrong"):
        world.view("preview", name="churn", verb="traffic", given={"sahdow": {world.two: 3}})
    with pytest.raises(UnknownEndpoint):
        world.view("endpoint", name="<b>churn</b>")


def test_a_form_has_the_examples_first_row_and_its_program_is_one_to_change(world, tmp_path):
    shown = world.view("form", name="churn", release=world.two.partition(":")[2])
    text = shown.snippets[-1].text.replace(json.dumps(shown.instance), '{"age": 20, "weight": 40.5}')
    assert run("javascript", text, tmp_path)["predictions"] == ["no"]
    assert shown.release == world.two
    assert [(field.name, field.kind, field.required) for field in shown.fields] == [
        ("age", "integer", True),
        ("weight", "number", True),
    ]
    assert {field.name: field.value for field in shown.fields} == shown.instance
    assert shown.fields[0].help.startswith("the example has ")


@pytest.mark.parametrize("language", ["curl", "python", "r", "javascript"])
def test_where_requests_need_a_token_a_program_reads_it_from_its_file_and_does_not_hold_it(world, language, tmp_path):
    if not (file := world.home.path / "nbdeploy" / "token.header").exists():
        world.home.environment["NBDEPLOY_REQUIRE_TOKEN"] = "1"
        world.home.run("traffic", "odd", "--record", "meta")
    token = file.read_text().strip().partition(": ")[2]
    shown = world.view("form", name="odd")
    text = next(snippet.text for snippet in shown.snippets if snippet.language == language)
    assert str(file) in text
    assert token not in shown.model_dump_json()
    assert run(language, text, tmp_path)["predictions"] == [ANSWER]


def test_a_label_names_a_release_in_every_view_and_command(world):
    assert [card.label for card in world.view("endpoint", name="churn").cards] == ["", "weaker"]
    before = world.home.json("describe", "churn")
    done = world.home.json("label", "churn", "weaker", "wider trees", "--reason", "as in the ticket")
    assert (done["release"], done["label"], done["before"]) == (world.two, "wider trees", "weaker")
    described = world.home.json("describe", "churn")
    assert (described["traffic"], described["revision"]) == (before["traffic"], before["revision"] + 1)
    assert [release["label"] for release in described["releases"]] == ["", "wider trees"]
    assert all(release["healthy"] for release in described["releases"])
    assert f"wider trees · {world.two}" in world.home.run("describe", "churn").stdout
    (latest, *_) = world.home.json("history", "churn")
    assert (latest["change"], latest["reason"]) == (f"{world.two} is called 'wider trees'", "as in the ticket")
    world.home.run("traffic", "churn", "--shadow", "wider trees=100")
    assert world.home.json("describe", "churn")["traffic"] == before["traffic"]
    refused = world.home.run("label", "churn", "wider trees", "abc123", check=False)
    assert refused.returncode == 2
    assert "looks like a release's tag" in refused.stderr


def test_an_unhealthy_release_a_stopped_endpoint_and_a_missing_gateway_are_shown_in_words(world):
    version = world.two.partition(":")[2]
    (worker,) = [p for p in processes(world.home) if version in " ".join(p.cmdline())]
    worker.suspend()
    try:
        shown = world.view("endpoint", name="churn")
        assert [(card.healthy, card.health) for card in shown.cards] == [
            (True, "healthy"),
            (False, "does not say that it is ready"),
        ]
        row = next(row for row in world.view("endpoints").endpoints if row.name == "churn")
        ill = "NOT HEALTHY: 'nbdeploy reconcile' starts what is down"
        assert (shown.words, row.words, row.healthy) == (ill, ill, False)
    finally:
        worker.resume()
    world.home.run("stop", "odd")
    shown = world.view("endpoint", name="odd")
    assert (shown.running, shown.words) == (False, "stopped")
    assert [card.health for card in shown.cards] == ["not running"]
    back = world.view("preview", name="odd", verb="rollback")
    assert "The endpoint is stopped: this starts it again." in back.notes
    assert world.view("form", name="odd").instance["n"] == 2**60 + 1
    world.home.run("down")
    rows = {row.name: row for row in world.view("endpoints").endpoints}
    assert (rows["churn"].words, rows["churn"].rate) == ("not running: 'nbdeploy reconcile' starts it", None)
    assert world.view("endpoint", name="churn").cards[0].counts is None

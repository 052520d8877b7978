"""The routes in a real Jupyter server, below a hub's prefix, with real releases behind a real gateway."""

import json

import httpx
import pytest

from jupyter_deploy.faces.views.table import VIEWS
from tests.conftest import make_home
from tests.e2e.conftest import ROW, until
from tests.e2e.jupyter import TOKEN, events, jupyter_server, problem_in
from tests.selections import row, table

ENDED = ("done", "failed", "cancelled")


@pytest.fixture(scope="module")
def churn(tmp_path_factory, plain_snapshots):
    """A home with an endpoint: stable (1.0) and a shadow (0.01)."""
    made = make_home(tmp_path_factory.mktemp("rest") / "home")
    tags, made.environment["BENTOML_HOME"] = plain_snapshots
    made.tags = tags
    for c in (1.0, 0.01):
        made.run("deploy", tags[c], "--trust", "--name", "churn")
    yield made
    made.down()


@pytest.fixture(scope="module")
def server(churn):
    with jupyter_server(churn) as started:
        yield started


@pytest.fixture(scope="module")
def client(server):
    with server.client() as made:
        yield made


@pytest.fixture
def revision(client):
    """The endpoint's revision before the test."""
    return client.get("describe", params={"name": "churn"}).json()["revision"]


def ended(client, job_id):
    """The job, once it has ended."""

    def look():
        job = client.get(f"jobs/{job_id}").json()
        return job if job["state"] in ENDED else None

    return until(look)


@pytest.mark.parametrize(
    ("verb", "options", "query"),
    [
        ("list", [], {}),
        ("describe", ["churn"], {"name": "churn"}),
        ("history", ["churn"], {"name": "churn"}),
        ("logs", ["churn", "--role", "probe"], {"name": "churn", "role": "probe"}),
    ],
)
def test_a_looking_verb_answers_what_the_command_line_prints(verb, options, query, churn, client):
    printed = churn.json(verb, *options)
    assert printed
    assert client.get(verb, params=query).json() == printed
    assert client.post(verb, json=query).json() == printed


def test_a_comparison_takes_its_requirements_from_a_query(client):
    answer = client.get("compare", params={"name": "churn", "require": ["agreement >= 0.9", "error_rate <= 0.1"]})
    assert answer.status_code == 200, answer.text
    assert [outcome["expression"] for outcome in answer.json()["requirements"]] == [
        "agreement >= 0.9",
        "error_rate <= 0.1",
    ]


def test_records_are_not_followed_since_an_answer_has_an_end(client):
    found = problem_in(client.get("logs", params={"name": "churn", "follow": "true"}), 422)
    assert "nbdeploy logs NAME --follow" in found["remedy"]


def test_a_client_that_knows_the_revision_still_gets_the_new_counts(client, revision):
    def described(**headers):
        answer = client.get("describe", params={"name": "churn"}, headers=headers)
        assert (answer.status_code, answer.headers["etag"]) == (200, f'"{revision}"')
        return answer.json()

    def requests(shown):
        return sum(one["counts"]["requests"] for one in shown["releases"])

    before = described()
    assert client.post("predict", json={"name": "churn", "data": [ROW]}).json()["status"] == 200
    until(lambda: requests(described(**{"If-None-Match": f'"{revision}"'})) > requests(before))


def test_every_view_answers_a_query_and_a_body(client, churn):
    known = {"name": "churn"}
    key = client.get("views/records", params=known).json()["records"][0]["key"]
    asked = {
        "endpoints": {},
        "deploy_problems": {"deploy": {"source": "clf", "name": "churn"}},
        "r_kernel": {},
        "health": {},
        "preview": known | {"verb": "promote"},
        "record": known | {"key": key},
        "candidates": {"table": table([row("forest", 0.9, 2.0)]).model_dump(mode="json"), "constraints": "load_s <= 5"},
        "drawing": {"spec": client.get("views/live", params=known).json()["charts"]["rate"]},
        "notebook_context": {"path": "train.ipynb"},
        "search_form": {"data": "nowhere.csv"},
        "result_page": {"verb": "describe", "result": client.get("describe", params=known).json()},
    }
    for view in VIEWS.values():
        body = asked.get(view.name, known)
        query = {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()}
        answers = client.get(f"views/{view.name}", params=query), client.post(f"views/{view.name}", json=body)
        for answer in answers:
            assert answer.status_code == 200, (view.name, answer.text)
            view.document.model_validate_json(answer.content)


def test_the_endpoints_view_has_its_revision_and_a_preview_on_a_stale_one_says_what_has_happened(client, revision):
    first = client.get("views/endpoint", params={"name": "churn"})
    assert first.headers["etag"] == f'"{revision}"'
    again = client.get("views/endpoint", params={"name": "churn"}, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 200  # it tells what has been counted meanwhile
    body = {"name": "churn", "verb": "promote", "if_revision": revision - 1}
    found = problem_in(client.post("views/preview", json=body), 412)
    assert (found["revision"], [row["revision"] for row in found["history"]]) == (revision, [revision])
    body["if_revision"] = revision
    assert client.post("views/preview", json=body).json()["revision"] == revision
    stale = client.post("views/preview", json=body, headers={"If-Match": f'"{revision - 1}"'})
    assert problem_in(stale, 412)["revision"] == revision


def test_a_slow_verb_is_a_job_that_the_answer_names(client, churn, revision):
    body = {"name": "churn", "shadow": {churn.tags[0.01]: 37}, "reason": "by HTTP"}
    answer = client.post("traffic", json=body, headers={"If-Match": f'"{revision}"'})
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["location"] == f"/user/ada/nbdeploy/jobs/{job['id']}"
    assert job["title"] == f"traffic of churn: {churn.tags[0.01]} 37 %"
    done = ended(client, job["id"])
    assert done["state"] == "done", done
    assert done["result"]["revision"] == revision + 1
    newest = churn.json("history", "churn")[0]
    assert (newest["revision"], newest["reason"]) == (revision + 1, "by HTTP")
    assert job["id"] in [one["id"] for one in client.get("jobs").json()]


def test_a_stale_revision_is_refused_with_what_has_happened_since(client, churn, revision):
    churn.run("traffic", "churn", "--shadow", f"{churn.tags[0.01]}=41", "--reason", "by another")
    body = {"name": "churn", "shadow": {churn.tags[0.01]: 5}}
    found = problem_in(client.post("traffic", json=body, headers={"If-Match": f'"{revision}"'}), 412)
    assert (found["code"], found["revision"]) == ("conflict", revision + 1)
    assert [(row["revision"], row["reason"]) for row in found["history"]] == [(revision + 1, "by another")]
    assert found["history"][0]["what"]
    assert churn.json("describe", "churn")["revision"] == revision + 1

    by_body = client.post("promote", json={"name": "churn", "if_revision": revision})
    assert problem_in(by_body, 412)["revision"] == revision + 1
    # A verb whose request has no revision of its own is guarded by the header all the same.
    assert problem_in(client.post("stop", json={"name": "churn"}, headers={"If-Match": f'"{revision}"'}), 412)


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("describe", {"name": "nobody"}, 404, "unknown_endpoint"),
        ("traffic", {"name": "nobody", "shadow": {"churn:1": 5}}, 404, "unknown_endpoint"),
        ("stop", {"name": "nobody"}, 404, "unknown_endpoint"),
        ("promote", {"name": "churn", "tag": "churn:none"}, 404, "unknown_release"),
        ("rollback", {"name": "churn", "to": 99}, 404, "unknown_revision"),
        ("traffic", {"name": "churn"}, 422, "invalid_traffic"),
        ("traffic", {"name": "churn", "shadow": {"x": "many"}}, 422, "invalid_input"),
        ("traffic", {"name": "churn", "shadows": {}}, 422, "invalid_input"),
        ("captures", {"name": "churn"}, 422, "invalid_input"),
        ("captures", {"model": "clf", "source": "churn:1"}, 422, "invalid_input"),
        ("captures/none", {"kernel": 7}, 404, "unknown_job"),
        ("captures/none", {"kernel": 0}, 422, "invalid_input"),
        ("nothing", {}, 404, "no_route"),
        ("views/nothing", {}, 404, "no_route"),
        ("jobs", {}, 405, "no_method"),
    ],
)
def test_an_invalid_request_is_refused_before_there_is_a_job(path, body, status, code, client):
    before = client.get("jobs").json()
    assert problem_in(client.post(path, json=body), status)["code"] == code
    assert client.get("jobs").json() == before


def test_a_wrong_field_is_named(client):
    found = problem_in(client.post("traffic", json={"name": "churn", "shadow": {"t": 400}, "recordd": "x"}), 422)
    assert ["recordd"] in [one["loc"] for one in found["errors"]]
    found = problem_in(client.get("logs", params={"name": "churn", "limit": "0"}), 422)
    assert [one["loc"] for one in found["errors"]] == [["limit"]]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"name": NaN}', 400),
        (b"[" * 100_000, 400),
        (b'{"name": 1' + b"0" * 5000 + b"}", 400),
        (b"[]", 422),
        (b"", 422),
    ],
    ids=["torn", "no text", "NaN", "deep", "a long number", "a list", "nothing"],
)
def test_a_body_that_is_no_request_is_refused(body, status, client):
    problem_in(client.post("describe", content=body), status)


def test_a_body_beyond_the_limit_is_refused(client):
    found = problem_in(client.post("predict", content=b" " * (64 * 1024**2 + 1)), 413)
    assert found["code"] == "too_large"


@pytest.mark.parametrize("given", ["5", '"five"', '"5", "6"'])
def test_an_if_match_that_is_no_revision_is_refused(given, client):
    answer = client.post("stop", json={"name": "churn"}, headers={"If-Match": given})
    assert problem_in(answer, 400)["code"] == "invalid_if_match"


def test_a_client_that_reconnects_misses_no_event_of_a_deploy(client, churn):
    tag = churn.tags[0.0001]
    heard = []
    with client.stream("GET", "events", params={"after": "0"}) as stream:
        lines = events(stream.iter_lines())
        until(lambda: heard.append(next(lines)) or heard[-1][0] == "endpoints")
        job_id = client.post("deploy", json={"source": tag, "trust": True, "name": "churn"}).json()["id"]
        until(lambda: heard.append(next(lines)) or heard[-1][2].get("kind") == "step")
    before = heard[-1][1]
    with client.stream("GET", "events", headers={"Last-Event-ID": str(before)}) as stream:
        lines = events(stream.iter_lines())

        def deployed():
            heard.append(next(lines))
            data = heard[-1][2]
            return heard[-1][0] == "job" and data["job"] == job_id and data["data"].get("state") in ENDED

        until(deployed, 120)
        revision = client.get("describe", params={"name": "churn"}).json()["revision"]
        until(lambda: [data for event, _, data in heard if event == "endpoints"][-1]["churn"] == revision
              or heard.append(next(lines)))  # fmt: skip
    numbers = [number for event, number, _ in heard if event == "job"]
    assert numbers == sorted(set(numbers))
    told = [data for event, _, data in heard if event == "job" and data["job"] == job_id]
    job = client.get(f"jobs/{job_id}").json()
    assert job["state"] == "done", job
    assert job["result"]["release"] == tag
    assert told == job["events"]
    assert "step" in [event["kind"] for event in told]
    assert tag in [release["tag"] for release in churn.json("describe", "churn")["releases"]]


def test_what_others_change_is_heard(client, churn, revision):
    with client.stream("GET", "events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = events(stream.iter_lines())
        event, _, data = next(lines)
        assert (event, data) == ("endpoints", {"churn": revision})
        churn.run("traffic", "churn", "--shadow", f"{churn.tags[0.01]}=12")
        assert next(one for one in lines if one[0] == "endpoints")[2] == {"churn": revision + 1}


def test_a_stream_from_no_event_is_refused(client):
    for given in ("-1", "x", "²", "9" * 30):
        assert problem_in(client.get("events", params={"after": given}), 400)["code"] == "invalid_event"


def test_a_capture_waits_for_its_kernel_and_can_be_cancelled(client):
    answer = client.post("captures", json={"model": "clf", "name": "other", "example": "X[:3]"})
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert (job["state"], job["verb"], job["title"], job["endpoint"]) == (
        *("waiting", "deploy", "deploy clf as other", "other"),
    )
    assert client.delete(f"jobs/{job['id']}").json()["state"] == "cancelled"
    assert ended(client, job["id"])["state"] == "cancelled"
    assert client.delete(f"jobs/{job['id']}").json()["state"] == "cancelled"
    problem_in(client.delete("jobs/none"), 404)


def test_a_job_that_cannot_be_done_says_why(client):
    job = client.post("deploy", json={"source": "nobody:knows", "name": "churn"}).json()
    failed = ended(client, job["id"])
    assert (failed["state"], failed["problem"]["code"]) == ("failed", "unknown_source")
    assert failed["problem"]["remedy"]


def test_files_in_a_request_are_relative_to_the_servers_folder(client, churn):
    (churn.path / "within").mkdir(exist_ok=True)
    answer = client.post("init", json={"folder": "within", "dry_run": True})
    assert answer.status_code == 200, answer.text
    assert answer.json()["folder"] == str(churn.path / "within")


def test_no_route_is_open_without_a_token(server):
    with httpx.Client(base_url=f"{server.url}nbdeploy/", trust_env=False) as stranger:
        for answer in (stranger.get("list"), stranger.get("events"), stranger.post("traffic", json={})):
            assert problem_in(answer, 403)["code"] == "not_signed_in"


def test_with_a_browsers_cookie_what_changes_needs_the_xsrf_header(server):
    with httpx.Client(base_url=server.url, trust_env=False, follow_redirects=True) as browser:
        browser.get("login", params={"token": TOKEN})
        assert browser.get("nbdeploy/list").status_code == 200
        problem_in(browser.post("nbdeploy/captures", json={}), 403)
        problem_in(browser.delete("nbdeploy/jobs/none"), 403)
        header = {"X-XSRFToken": browser.cookies["_xsrf"]}
        problem_in(browser.post("nbdeploy/captures", json={}, headers=header), 422)
        problem_in(browser.delete("nbdeploy/jobs/none", headers=header), 404)

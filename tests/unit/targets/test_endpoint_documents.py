"""Documents of endpoints, and the changes that lead to them."""

from datetime import UTC, datetime

import pytest
import yaml

from jupyter_deploy.domain.batch.requests import BatchRequest
from jupyter_deploy.domain.batch.spec import BatchSpec
from jupyter_deploy.domain.errors import Conflict, InvalidInput, InvalidName, InvalidTraffic
from jupyter_deploy.domain.release.document import EndpointDocument, changes_to, with_stored_secrets
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import DeployRequest, LabelRequest, PromoteRequest, StopRequest, TrafficRequest
from jupyter_deploy.domain.secret_names import HIDDEN
from jupyter_deploy.domain.stream.spec import StreamSpec
from jupyter_deploy.domain.validation.validation import ValidationSpec
from jupyter_deploy.system.endpoint_documents import YamlDocuments
from tests import releases


def release(version):
    return releases.release(version, name="churn")


def endpoint(*versions):
    result = Endpoint.first(release(versions[0]))
    for version in versions[1:]:
        result = result.with_release(release(version), keep=True)
    return result


def document(traffic=None, releases=("one",), **fields):
    tags = [one if isinstance(one, dict) else {"tag": f"churn:{one}"} for one in releases]
    return EndpointDocument.model_validate({"name": "churn", "releases": tags, "traffic": traffic, **fields})


def changes(document, before):
    return [(type(request), words) for request, words in changes_to(document, before)]


def test_an_endpoint_as_its_document_says_has_no_change():
    traffic = {"stable": "churn:one", "shadow": {"churn:two": 100}}
    assert changes(document(traffic, ("one", "two")), endpoint("one", "two")) == []


def test_a_document_without_traffic_leaves_the_shares_to_people():
    before = endpoint("one", "two").with_traffic({}, {"two": 5})
    assert changes(document(None, ("one", "two")), before) == []


def test_a_new_endpoint_begins_with_its_stable_release_whatever_the_order():
    traffic = {"stable": "churn:two", "canary": {"churn:one": 10}}
    made = changes_to(document(traffic, ("one", "two"), record="meta"), None)
    assert [(c.request.source, c.request.role, c.request.percent) for c in made] == [
        ("churn:two", "auto", None),
        ("churn:one", "canary", 10),
    ]
    assert made[0].request.record == "meta"


def test_a_promotion_precedes_the_shares_and_drops_what_the_document_leaves_out():
    before = endpoint("one", "two", "three")
    traffic = {"stable": "churn:two", "canary": {"churn:one": 20}}
    made = changes_to(document(traffic, ("one", "two", "three")), before)
    assert [type(c.request) for c in made] == [PromoteRequest, TrafficRequest]
    assert made[1].request.canary == {"churn:one": 20}
    assert made[1].request.shadow == {"churn:three": 0}


def test_following_the_changes_leads_to_the_documents_traffic():
    before = endpoint("one", "two", "three")
    traffic = {"stable": "churn:two", "canary": {"churn:one": 20}, "shadow": {"churn:three": 50}}
    state = before
    for request, _ in changes_to(document(traffic, ("one", "two", "three")), before):
        state = (
            state.promoted(request.tag)
            if isinstance(request, PromoteRequest)
            else state.with_traffic(request.shadow, request.canary)
        )
    assert state.traffic.model_dump() == {
        "stable": "churn:two",
        "canary": "churn:one",
        "canary_percent": 20,
        "shadows": {"churn:three": 50},
    }
    assert changes(document(traffic, ("one", "two", "three")), state) == []


def test_changed_resources_and_columns_are_a_deploy_of_the_same_release():
    wanted = {"tag": "churn:one", "redact": ["income"], "resources": {"workers": 2, "memory": "512MB"}}
    (made,) = changes_to(document(None, (wanted,)), endpoint("one"))
    assert isinstance(made.request, DeployRequest)
    assert made.request.redact == ("income",)
    assert made.request.resources["workers"] == 2
    assert made.request.resources["cpu"] is None
    assert made.words == "churn:one: income redacted; 2 workers, memory 512 MB"


def test_a_label_alone_is_no_deploy():
    made = changes(document(None, ({"tag": "churn:one", "label": "wider trees"},)), endpoint("one"))
    assert made == [(LabelRequest, "churn:one is called 'wider trees'")]


def test_a_stopped_endpoint_is_started_by_its_document_and_stopped_by_running_false():
    (start,) = changes_to(document(), endpoint("one").stopped())
    assert (type(start.request), start.request.record, start.words) == (TrafficRequest, "full", "start its processes")
    assert changes(document(running=False), endpoint("one")) == [(StopRequest, "stop its processes")]
    assert changes(document(running=False), endpoint("one").stopped()) == []


def test_another_target_is_a_conflict():
    with pytest.raises(Conflict):
        changes_to(document(target="elsewhere"), endpoint("one"))


def test_a_new_release_without_a_role_is_refused():
    with pytest.raises(InvalidInput, match="churn:two is new and has no role"):
        changes_to(document({"stable": "churn:one"}, ("one", "two")), endpoint("one"))


@pytest.mark.parametrize(
    ("traffic", "tags", "error"),
    [
        ({"stable": "churn:nine"}, ("one",), InvalidTraffic),
        ({"stable": "churn:one", "shadow": {"churn:one": 5}}, ("one",), InvalidTraffic),
        (
            {"stable": "churn:one", "canary": {"churn:two": 5, "churn:three": 5}},
            ("one", "two", "three"),
            InvalidTraffic,
        ),
        ({"stable": "churn:one", "canary": {"churn:two": 0}}, ("one", "two"), InvalidTraffic),
        ({"stable": "churn:one", "canary": {"churn:two": 101}}, ("one", "two"), InvalidTraffic),
        (None, ("one", "one"), InvalidInput),
        (None, ({"tag": "one"},), InvalidInput),
        (None, ({"tag": "churn:one", "image": "here/churn:latest"},), InvalidInput),
    ],
)
def test_a_document_that_no_endpoint_could_be_like_is_refused(traffic, tags, error):
    with pytest.raises(error):
        document(traffic, tags)


def test_a_hidden_parameter_keeps_the_stored_value_and_is_refused_without_one():
    stored = ValidationSpec(notebook="/a/checks.ipynb", parameters={"api_key": "k", "n": 3})
    written = stored.without_secrets
    assert written.parameters["api_key"] == HIDDEN
    assert with_stored_secrets([written], [stored]) == (stored,)
    with pytest.raises(InvalidInput, match="api_key"):
        with_stored_secrets([written], [])


def read(tmp_path, text):
    file = tmp_path / "endpoints.yaml"
    file.write_text(text, "utf-8")
    return YamlDocuments().read(str(file))


def test_a_file_holds_a_document_for_each_endpoint_and_paths_are_relative_to_it(tmp_path):
    one, two = read(
        tmp_path,
        "name: churn\nreleases: [{tag: 'churn:a1'}]\nvalidations: [{notebook: checks.ipynb, gates: error_rate <= 0}]\n"
        "---\nname: fraud\nreleases: [{tag: 'fraud:b2'}]\n",
    )
    assert (one.name, two.name) == ("churn", "fraud")
    assert one.validations[0].notebook == str(tmp_path / "checks.ipynb")
    assert two.validations is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no endpoint"),
        ("- a\n", "is no mapping"),
        ("name: churn\nname: fraud\n", "line 2, column 1: 'name' is written twice"),
        ("name: [churn\n", "line 2"),
        ("name: churn\nreleases: []\n", "releases: Tuple should have at least 1 item"),
        ("name: churn\nrelease: []\nreleases: [{tag: 'churn:a1'}]\n", "release: Extra inputs are not permitted"),
        ("name: churn\nreleases: [{tag: 'churn:a1', resources: {cpus: 2}}]\n", "'cpus' is no resource"),
        ("name: churn\nreleases: [{tag: 'churn:a1'}]\n---\nname: churn\nreleases: [{tag: 'churn:a1'}]\n", "twice"),
        ("name: churn\nreleases: [{tag: 'churn:a1'}]\ntraffic: {stable: 'churn:b2'}\n", "endpoints.yaml: churn has no"),
        ("a: &a [*a]\n", "endpoints.yaml"),
    ],
)
def test_a_faulty_file_is_refused_with_its_place(tmp_path, text, words):
    with pytest.raises(InvalidInput) as refused:
        read(tmp_path, text)
    assert words in f"{refused.value.message} {refused.value.details}"


def test_a_wrong_name_is_refused(tmp_path):
    with pytest.raises(InvalidName):
        read(tmp_path, "name: 'no name'\nreleases: [{tag: 'churn:a1'}]\n")


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="cannot read"):
        YamlDocuments().read(str(tmp_path / "none.yaml"))
    (tmp_path / "raw.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="no text in UTF-8"):
        YamlDocuments().read(str(tmp_path / "raw.yaml"))


def test_yaml_is_read_by_a_safe_loader(tmp_path):
    with pytest.raises(InvalidInput):
        read(tmp_path, yaml.dump({"name": Endpoint}))


def test_the_settings_of_comparisons_are_a_change_of_their_own():
    wanted = document(None, ("one",), comparison={"tolerance": "1%", "segments": ["region"]})
    [change] = changes_to(wanted, endpoint("one"))
    assert (change.request.tolerance, change.request.absolute_tolerance) == (0.01, "default")
    assert change.request.segment == ("region",)
    assert change.words == "comparison: default → tolerance 0.01, segments region"
    after = endpoint("one").comparing(0.01, None, ("region",), datetime.now(UTC))
    assert changes(wanted, after) == []
    assert [words for _, words in changes_to(wanted, None)][-1] == change.words
    [back] = changes_to(document(None, ("one",), comparison={"segments": ["none"]}), after)
    assert (back.request.tolerance, back.request.segment) == ("default", ("none",))
    assert changes(document(None, ("one",)), after) == []


STREAM = {"source": "nats://localhost/rows", "sink": "nats://localhost/scores"}
BATCH = {"source": "/data/*.parquet", "sink": "/scores", "schedule": "@daily"}


def followed(serve, before):
    """The endpoint after the changes of a document with these ways to be called, and their words."""
    made = changes_to(document(None, serve=serve), before)
    for change in made:
        request = change.request
        way = "batch" if isinstance(request, BatchRequest) else "stream"
        spec = BatchSpec if way == "batch" else StreamSpec
        wanted = request.model_dump(include=set(spec.model_fields), exclude_none=True)
        before = before.serving(**{way: None if request.stop else spec.model_validate(wanted).checked()})
    return before, [change.words for change in made]


def test_one_line_moves_an_endpoint_from_http_to_batches_and_to_a_stream():
    served = endpoint("one")
    scheduled, words = followed({"batch": BATCH}, served)
    assert words == [
        "batch: /data/*.parquet → /scores at '0 0 * * *'; "
        "it reads all files of the source that stable has not scored into this sink"
    ]
    assert scheduled.batch.schedule == "0 0 * * *"
    assert followed({"batch": BATCH}, scheduled)[1] == followed(None, scheduled)[1] == []
    later, words = followed({"batch": BATCH | {"schedule": "0 3 * * *"}}, scheduled)
    assert words == [f"batch: {scheduled.batch.words}, now /data/*.parquet → /scores at '0 3 * * *'"]
    streamed, words = followed({"stream": STREAM}, later)
    assert (streamed.batch, bool(streamed.stream)) == (None, True)
    assert words[0].startswith("end the batches /data/*.parquet")
    assert words[1].endswith("it reads where its group at the broker ended, else the next message")
    both, _ = followed({"http": {}, "batch": BATCH, "stream": STREAM}, streamed)
    assert None not in (both.batch, both.stream)
    alone, words = followed({"http": {}}, both)
    assert (alone.batch, alone.stream, len(words)) == (None, None, 2)
    assert alone.releases == served.releases, "no model is captured again"


def test_places_of_a_batch_are_relative_to_the_file_and_a_wrong_schedule_is_refused(tmp_path):
    file = tmp_path / "churn.yaml"

    def read(**batch):
        content = {"name": "churn", "releases": [{"tag": "churn:one"}], "serve": {"batch": BATCH | batch}}
        file.write_text(yaml.safe_dump(content))
        return YamlDocuments().read(str(file))[0].serve.batch

    assert read(source="day/*.csv").source == f"{tmp_path}/day/*.csv"
    assert read(sink="s3://scores/x").sink == "s3://scores/x"
    with pytest.raises(InvalidInput, match="'every night' is no schedule"):
        read(schedule="every night")

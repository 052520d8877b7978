"""The file with a gateway's token: what requests carry, and what errors show."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.domain.results import Prediction
from jupyter_deploy.faces.render.records_page import prediction_page
from jupyter_deploy.targets.kubernetes.settings import ClusterSettings, KubernetesSettings
from jupyter_deploy.targets.kubernetes.target import KubernetesTarget
from jupyter_deploy.targets.local.http_client import HttpClient

TOKEN = "a-token-of-the-tests"


@pytest.fixture
def gateway():
    """The address of a server that keeps the headers of its requests, and these headers."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append(dict(self.headers))
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            """Nothing."""

    with HTTPServer(("127.0.0.2", 0), Handler) as server:  # a host that is not this machine's gateway
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.2:{server.server_port}/churn", seen
        server.shutdown()
        thread.join()


def target(path):
    cluster = ClusterSettings(token_file=path)
    return KubernetesTarget(KubernetesSettings(home="/home", bentoml_home="/bentoml", kubernetes=cluster))


def test_requests_to_a_cluster_carry_the_token_of_its_file_and_the_printed_line_names_the_file(gateway, tmp_path):
    url, seen = gateway
    path = tmp_path / "models.header"
    path.write_text(f"x-nbdeploy-token: {TOKEN}\n")
    header_file = target(path).header_file
    assert HttpClient().post(f"{url}/predict", {}, header_file)[0] == 200
    assert HttpClient().post(f"{url}/predict", {}, target(None).header_file)[0] == 200
    assert [headers.get("x-nbdeploy-token") for headers in seen] == [TOKEN, None]
    line = HttpClient().command(f"{url}/predict", {}, header_file)
    assert f"-H @{path}" in line
    assert TOKEN not in line


@pytest.mark.parametrize("content", [f"authorization: Bearer {TOKEN}", TOKEN, "", b"\xff\xfe", None])
def test_a_file_without_a_token_is_an_error_that_shows_nothing_of_it(gateway, tmp_path, content):
    url, seen = gateway
    path = tmp_path / "models.header"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(TargetError, match=r"models\.header") as error:
        HttpClient().post(f"{url}/predict", {}, path)
    assert TOKEN not in str(error.value)
    assert "x-nbdeploy-token: " in error.value.remedy
    assert not seen


def test_a_refusal_for_want_of_the_token_names_the_setting():
    refused = Prediction(endpoint="churn", status=401, release=None, request_id=None, body={})
    assert "token_file" in prediction_page(refused).facts[-1][1]

"""Checks for secrets: in attributes, constants, examples, cells, hyperparameters and packed files."""

from pathlib import Path

import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.capture.checks.candidate import ProvedCandidate
from jupyter_deploy.capture.checks.secrets import secrets_in_files
from jupyter_deploy.domain.capture.artifacts import Source, Tolerance
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.masking import detection, masking
from tests.contract.capturing import NUMBERS, live
from tests.contract.check_candidates import ALL, AWS, GITHUB, HUGGING, LABELS, found, staged


@pytest.fixture(scope="module")
def capturer(tmp_path_factory):
    return ModelCapturer(tmp_path_factory.mktemp("store") / "bentoml", Tolerance(), replay_timeout=120)


TOKEN = GITHUB
URL = "https://ada:s3cr3t-pass@example.org/x"


def with_global(rows):
    return [f"{len(TOKEN)} {row}" for row in rows]


def outer(key):
    def predict(rows):
        def inner(row):
            return f"{len(key)} {row}"

        return [inner(row) for row in rows]

    return predict


class Client:
    __slots__ = ("password",)


class WithAttributes:
    def __init__(self, token, url):
        self.hf_token = token
        self.settings = {"url": url}

    def predict(self, rows):
        return [row * 2 for row in rows]


class Forgetful(WithAttributes):
    """Leaves its token out of its state."""

    def __getstate__(self):
        return {"settings": {}}


def with_attributes():
    model = WithAttributes(HUGGING, URL)
    model.inner = [Client()]
    model.inner[0].password = "s3cr3t-pass"
    return model


def with_constant(rows):
    return [f"{len('AKIAIOSFODNN7QWERTYU')} {row}" for row in rows]


@pytest.mark.parametrize(
    ("model", "where"),
    [
        (with_global, ["model → global 'TOKEN' holds a GitHub Token"]),
        (outer(AWS), ["model → closure 'key' holds an AWS Access Key"]),
        (with_constant, ["model → its code holds an AWS Access Key"]),
        (
            with_attributes(),
            ["model.hf_token holds a random value under the name 'hf_token'",
             "model.inner[0].password holds a value under the name 'password'",
             "model.settings['url'] holds credentials in a URL"],
        ),
    ],
    ids=["global", "closure", "constant", "attributes"],
)  # fmt: skip
def test_a_secret_is_named_by_its_path_and_its_value_is_shown_nowhere(capturer, model, where):
    findings = found(staged(capturer, model, [1.0, 2.0]), "secrets")
    assert {finding.severity for finding in findings} == {"error"}
    for path in where:
        assert any(path in finding.message for finding in findings), findings
    assert len(findings) == len(where), findings
    assert not any(value in repr(findings) for value in ALL)


def test_what_an_object_leaves_out_of_its_state_is_no_finding(capturer):
    assert found(staged(capturer, Forgetful(HUGGING, URL), [1.0]), "secrets") == []


def test_a_secret_in_the_example_is_an_error_with_its_row_and_column(capturer):
    example = pd.DataFrame({"text": ["a", GITHUB]})

    class Length:
        def predict(self, rows):
            return rows["text"].str.len()

    (finding,) = found(staged(capturer, Length(), example), "secrets")
    assert "the example[1]['text'] holds a GitHub Token" in finding.message
    assert GITHUB not in repr(finding)


CELL = f"import os\nclient = connect(password='s3cr3t-pass')\nkey: str = '{AWS}'"


def test_a_secret_in_a_cell_is_a_warning_and_is_masked_in_the_snapshot(capturer):
    model = LogisticRegression().fit(NUMBERS, LABELS)
    handed = Live(model, NUMBERS, Source(variable="model"), None, ("a = 1", CELL), Path(__file__).parents[1])
    made = capturer.stage(handed, "churn")
    written = "".join(path.read_text("latin-1") for path in made.folder.iterdir())
    capturer.discard(made)
    (finding,) = found(made.manifest, "secrets")
    assert (finding.severity, finding.cell) == ("warning", 2)
    assert made.manifest.provenance.cells[1] == "import os\nclient = connect(password='***')\nkey: str = '***'"
    assert not any(value in written for value in ALL)


def test_hyperparameters_are_kept_without_their_secrets(capturer):
    assert masking.masked_values({"a": [1, GITHUB], "api_key": "s3cr3t-pass", "C": 1.0, "solver": "lbfgs"}) == {
        "a": [1, "***"], "api_key": "***", "C": 1.0, "solver": "lbfgs",
    }  # fmt: skip


FILES = {
    "code/mine.py": f"KEY = '{GITHUB}'\n",
    "data/.env": "A=1\nexport DB_PASSWORD=s3cr3t-pass\n",
    "data/settings.yaml": "user: ada\npassword: s3cr3t-pass\n",
    "data/key.pem": "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\n",
    "data/plain.csv": "user,password,secret\nada,xx1xx,yy2yy\n",
    "data/picture.png": b"\x89PNG\xff\xfe" + GITHUB.encode(),
}


def test_packed_files_are_scanned_line_by_line(capturer, tmp_path):
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    manifest = staged(capturer, with_constant, [1.0]).model_copy(update={"files": dict.fromkeys(FILES, "0")})
    findings = list(secrets_in_files(ProvedCandidate(live(None, None), manifest, tmp_path, ())))
    said = sorted(finding.message for finding in findings)
    assert [words.split(" ")[2].rstrip(",") for words in said] == [
        "code/mine.py", "data/.env", "data/key.pem", "data/settings.yaml",
    ]  # fmt: skip
    assert "in line 2" in said[1]
    assert not any(value in repr(findings) for value in ALL)


HARMLESS = [
    "pad_token = '<pad>'", "eos_token = '</s>'", "password = os.environ['PASSWORD']", "api_key = 'your-api-key'",
    "columns = {'password': 'password', 'secret': 'secret_answer'}", "secret_name = 'prod/db/key-1'",
    f"sha = '{'9f86d081884c7d65' * 4}'", "token_type = 'bearer'",
    "tokenizer = 'bert-base-uncased'", "text = 'the password is wrong'", "words = ['APARTMENTHOUSE', 'AKIN']",
    "url = 'https://example.org:8080/a@b'", "id = '123e4567-e89b-12d3-a456-426614174000'",
]  # fmt: skip


@pytest.mark.parametrize("source", HARMLESS)
def test_what_only_looks_like_a_secret_is_no_finding(source):
    assert detection.secrets_in(source) == []


# Environment

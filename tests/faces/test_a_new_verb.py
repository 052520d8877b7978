"""A verb is added to a copy of the package by three new files and one entry of the table; every face has it."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import jupyter_deploy

NEW = {
    "domain/greeting.py": '''
        """The request and the result of greet."""

        from typing import Annotated

        from pydantic import Field

        from .base import FilePath, Value
        from .requests import EndpointName, Request


        class GreetRequest(Request):
            """Greet an endpoint."""

            name: EndpointName
            letter: Annotated[str, FilePath(written=True)] = Field(default="", description="The file of the letter.")


        class Greeting(Value):
            words: str
            letter: str
        ''',
    "verbs/greet.py": '''
        """``greet``."""

        from jupyter_deploy.domain.greeting import Greeting, GreetRequest
        from jupyter_deploy.domain.ports import Ports, Report


        def greet(request: GreetRequest, ports: Ports, report: Report) -> Greeting:
            return Greeting(words=f"hello {request.name}", letter=request.letter)


        def title(request: GreetRequest) -> str:
            return f"say hello to {request.name}"
        ''',
    "faces/render/greeting_page.py": '''
        """The page and the exit code of a greeting."""

        from jupyter_deploy.domain.greeting import Greeting

        from .page import Page


        def greeting_page(result: Greeting) -> Page:
            return Page(result.words.capitalize(), facts=[("letter", result.letter or "none")])


        def of_greeting(result: Greeting) -> int:
            return 4 if "nobody" in result.words else 0
        ''',
}
ENTRY = """    Operation(
        "greet",
        "greeting.GreetRequest",
        "greet.greet",
        label="Greet Endpoint…",
        page="greeting_page.greeting_page",
        title="greet.title",
        exit_code="greeting_page.of_greeting",
        slow=True,
        safe=True,
    ),
)

BY_NAME"""

FACES = """
import inspect, json, sys
from pathlib import Path
from types import SimpleNamespace

import jupyter_deploy
light = sorted({"pydantic", "jupyter_deploy.domain"} & set(sys.modules))

from IPython.core.interactiveshell import InteractiveShell
from jupyter_deploy.faces.server.rest import openapi
from jupyter_deploy.faces.server.rest.exchange import HttpRequest
from jupyter_deploy.faces.server.rest.router import Router
from jupyter_deploy.faces.views.requests import ResultPageRequest
from jupyter_deploy.faces.views.result_page import result_page
from jupyter_deploy.store.jobs import SqliteJobs
from scripts import reference, typescript

shell = InteractiveShell.instance()
jupyter_deploy.load_ipython_extension(shell)
greeting = jupyter_deploy.greet("churn")
formats, _ = shell.display_formatter.format(greeting)
by_magic = shell.run_line_magic("deploy_greet", "churn --letter a.txt -o json")

started = []
store = SimpleNamespace(endpoint=lambda name: SimpleNamespace(name=name, revision=1))
ports = SimpleNamespace(jobs=SqliteJobs(Path("jobs")), store=store)
router = Router(ports, SimpleNamespace(start=started.append), Path.cwd())
posted = router.answer(HttpRequest("POST", "greet", body=b'{"name": "churn", "letter": "a.txt"}'))
got = router.answer(HttpRequest("GET", "greet", query={"name": ["churn"]}))
paths = openapi.description("/")["paths"]["/greet"]
typescript._printed = lambda schemas: ""  # by node, which knows no verbs

print(json.dumps({
    "light": light,
    "exported": "greet" in jupyter_deploy.__all__,
    "signature": str(inspect.signature(jupyter_deploy.greet)),
    "text": str(greeting),
    "formats": {kind: formats[kind] for kind in ("text/plain", "text/html")},
    "magic": by_magic,
    "help": shell.find_magic("deploy_greet").__doc__,
    "job": [(job.title, job.verb, Path(job.request["letter"]).is_absolute()) for job in started],
    "posted": posted.status,
    "got": json.loads(got.body),
    "schemas": [paths["get"]["responses"]["200"], paths["post"]["requestBody"]],
    "page": result_page(ResultPageRequest(verb="greet", result={"words": "hello you", "letter": ""}), None).html,
    "typescript": [line for line in typescript.document().splitlines() if "greet" in line],
    "reference": "## greet" in reference.document(),
}))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The repository's package and scripts, with one more verb."""
    folder = tmp_path_factory.mktemp("copy")
    here = Path(jupyter_deploy.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__", "labextension", "node_modules")
    package = folder / "jupyter_deploy"
    shutil.copytree(here, package, ignore=ignored)
    (folder / "scripts").mkdir()
    for name in ("__init__.py", "reference.py", "typescript.py"):
        shutil.copy(here.parent / "scripts" / name, folder / "scripts")
    for name, source in NEW.items():
        (package / name).write_text("\n".join(line.removeprefix(" " * 8) for line in source.splitlines()))
    table = package / "verbs" / "__init__.py"
    before = table.read_text()
    assert before.count(")\n\nBY_NAME") == 1
    table.write_text(before.replace(")\n\nBY_NAME", ENTRY))
    ast.parse(table.read_text())
    return folder


def run(folder, home, *arguments):
    environment = {**home.environment, "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}
    return subprocess.run(
        [sys.executable, *arguments], cwd=home.path, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def faces(copy, shared_home):
    ended = run(copy, shared_home, "-c", FACES)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


def test_a_new_verb_is_four_files():
    assert len(NEW) + 1 <= 4


def test_the_command_line_has_it_with_its_page_and_its_exit_code(copy, shared_home):
    shown = run(copy, shared_home, "-m", "jupyter_deploy", "greet", "churn")
    assert (shown.returncode, shown.stdout.splitlines()[0]) == (0, "Hello churn"), shown.stderr
    assert "letter" in shown.stdout
    failed = run(copy, shared_home, "-m", "jupyter_deploy", "greet", "nobody", "-o", "json")
    assert (failed.returncode, json.loads(failed.stdout)) == (4, {"words": "hello nobody", "letter": ""})
    assert "Greet an endpoint." in run(copy, shared_home, "-m", "jupyter_deploy", "--help").stdout


def test_python_and_the_magics_have_it(faces):
    assert faces["exported"]
    assert faces["light"] == [], "the table is read without pydantic"
    assert faces["signature"] == "(name: str, *, letter: str = '')"
    assert faces["text"].startswith("Hello churn")
    assert faces["formats"]["text/plain"] == faces["text"]
    assert "Hello churn" in faces["formats"]["text/html"]
    assert faces["magic"] == {"words": "hello churn", "letter": "a.txt"}
    assert "--letter" in faces["help"]


def test_the_server_has_its_routes_its_job_and_its_page(faces):
    assert faces["job"] == [["say hello to churn", "greet", True]]
    assert faces["posted"] == 202
    assert faces["got"] == {"words": "hello churn", "letter": ""}
    assert "#/components/schemas/Greeting" in json.dumps(faces["schemas"][0])
    assert "#/components/schemas/GreetRequest" in json.dumps(faces["schemas"][1])
    assert "Hello you" in faces["page"]


def test_jupyterlab_and_the_reference_are_generated_with_it(faces):
    assert faces["typescript"] == [
        "  greet: GreetRequest;",
        "  greet: Greeting;",
        '  greet: { summary: "Greet an endpoint.", slow: true, destructive: false },',
        '    greet: trans.__("Greet Endpoint…"),',
    ]
    assert faces["reference"]


def test_without_the_entry_no_face_has_it(shared_home):
    """Else the copy would show nothing."""
    ended = run(Path(jupyter_deploy.__file__).parents[1], shared_home, "-m", "jupyter_deploy", "greet", "churn")
    assert ended.returncode == 2

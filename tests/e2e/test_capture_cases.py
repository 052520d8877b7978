"""What the notebook answered, the service answers: models as people write them, by real kernels.

The last case of each notebook is deployed and answers over the gateway. The services of the others, as their bentos
have them, answer in forks of one process, which has imported what they share: a release for each takes minutes.
"""

import json
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import httpx
import nbformat
import pytest
from nbclient import NotebookClient

from jupyter_deploy.system.clean_process import copy_serving
from tests import notebooks
from tests.e2e.capture_cells import TABLES, VALUES
from tests.e2e.capture_files import EDITABLE, FILES, MODULES

pytestmark = pytest.mark.timeout(900)  # the first test of a project waits for its notebook

# Guarded at less cost in tests/contract/capture: VALUES by test_shapes.py and test_capturer.py, EDITABLE by
# test_project_code.py, FILES by test_data_files.py.
GUARDED = (VALUES, EDITABLE, FILES)
PROJECTS = [
    *(pytest.param(one, id=one.name) for one in (TABLES, MODULES)),
    *(pytest.param(one, id=one.name, marks=pytest.mark.exhaustive) for one in GUARDED),
]
CASES = [
    pytest.param(*project.values, case.name, id=case.name, marks=project.marks)
    for project in PROJECTS
    for case in project.values[0].cases
]

FIRST = """%load_ext jupyter_deploy
def _snapshot(expression, name, example):
    from jupyter_deploy.artifacts.bento import service_source
    from jupyter_deploy.domain.requests import DeployRequest
    from jupyter_deploy.faces.kernel.kernel import live_from_expressions
    from jupyter_deploy.verbs.deploy import capture_live
    from jupyter_deploy.wiring import Wiring
    request, ports = DeployRequest(name=name, example=example), Wiring().ports
    live = live_from_expressions(get_ipython(), expression, request)
    taken = capture_live(request, ports, lambda *_: None, live)
    return service_source(taken), taken.manifest
"""

CAPTURE = """{cell}
_service, _manifest = _snapshot({model!r}, {name!r}, {example!r})
"""

DEPLOY = """{cell}
_deployed = %deploy {model} --name {name} --example "{example}"
_service, _manifest = _deployed.url, _deployed.captured
"""

SHOW = """
from IPython.display import display
display({{"application/json": {{
    "service": _service,
    "instances": _manifest.instances,
    "answers": {ask},
    "findings": [[f.check, f.severity, f.message] for f in _manifest.findings],
    "files": sorted(_manifest.files),
    "lock": sorted(_manifest.environment.distributions),
}}}}, raw=True)
"""

# What services answer, [[service.py, instances], …], each in a fork and a folder of its own: a line of JSON each.
SERVE = """
import bentoml, importlib, json, os, pathlib, sys
folder, *names = sys.argv[1:]
sys.path.insert(0, folder)
for name in names:
    importlib.import_module(name)
def serve(number, source, instances):
    own = pathlib.Path(folder, str(number))
    own.mkdir()
    (own / "service.py").write_text(source)
    sys.path.insert(0, str(own))
    import service
    from starlette.testclient import TestClient
    with TestClient(service.app()) as client:
        print(client.post("/predict", json={"instances": instances}).text, flush=True)
for number, asked in enumerate(json.load(sys.stdin)):
    if os.fork() == 0:
        try:
            serve(number, *asked)
        except Exception:
            sys.excepthook(*sys.exc_info())
        os._exit(0)
    os.wait()
"""


def written(project, folder):
    folder.mkdir()
    for name, content in project.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    *others, last = [vars(case) for case in project.cases]
    cells = [(CAPTURE + SHOW).format(**case) for case in others] + [(DEPLOY + SHOW).format(**last)]
    return notebooks.write(folder / f"{project.name}.ipynb", FIRST + project.first_cell, *cells)


def with_editable(project, folder):
    """The interpreter of an environment that has all that this one has, and the project's distribution, editable."""
    venv = folder / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    packages = next((venv / "lib").glob("python*/site-packages"))
    (packages / "all.pth").write_text(f"{sysconfig.get_path('purelib')}\nimport site; site.addsitedir("
                                      f"{sysconfig.get_path('purelib')!r})\n")  # fmt: skip
    command = ["uv", "pip", "install", "--quiet", "--offline", "--no-build-isolation", "--no-deps"]
    subprocess.run([*command, "--python", venv / "bin" / "python", "-e", folder / project.editable], check=True)
    return str(venv / "bin" / "python")


def run(project, folder, environment):
    """The outcomes of executed cells by case: the display, or the error."""
    path = written(project, folder)
    environment = environment | {"NBDEPLOY_NOTEBOOK": str(path)}
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=240, allow_errors=True, resources={"metadata": {"path": str(folder)}})
    if project.editable:
        client.km = client.create_kernel_manager()
        client.km.kernel_spec.argv[0] = with_editable(project, folder)
    client.execute(env=environment)
    assert not [o for o in notebook.cells[0].outputs if o.output_type == "error"], notebook.cells[0].outputs
    found = {}
    for case, cell in zip(project.cases, notebook.cells[1:], strict=True):
        data = [o.data["application/json"] for o in cell.outputs if "application/json" in o.get("data", {})]
        outcome = data[-1] if data else {"error": "\n".join(notebooks._words(output) for output in cell.outputs)}
        found[case.name] = outcome
    _serve(project, list(found.values())[:-1], environment)
    _ask(list(found.values())[-1])
    return found


def _serve(project, outcomes, environment):
    """Add the answers of services that were only captured."""
    taken = [outcome for outcome in outcomes if "service" in outcome]
    asked = json.dumps([[outcome["service"], outcome["instances"]] for outcome in taken])
    with tempfile.TemporaryDirectory() as folder:
        copy_serving(Path(folder))
        command = [sys.executable, "-P", "-c", SERVE, folder, *project.imported]
        served = subprocess.run(
            command, input=asked, env=environment, cwd="/", capture_output=True, text=True, check=False
        )
    answers = served.stdout.splitlines()
    assert (served.returncode, len(answers)) == (0, len(taken)), served.stdout + served.stderr
    for outcome, answer in zip(taken, answers, strict=True):
        outcome["served"] = json.loads(answer)


def _ask(outcome):
    """Add the answer of a release."""
    if "service" in outcome:
        asked = {"instances": outcome["instances"]}
        outcome["served"] = httpx.post(f"{outcome['service']}/predict", json=asked, trust_env=False).json()


@pytest.fixture(scope="module")
def outcomes_of(shared_home, tmp_path_factory):
    """The outcomes of a project's notebook, which the first test of the project runs in a kernel."""
    root = tmp_path_factory.mktemp("projects")
    known = {}

    def outcomes(project):
        if project.name not in known:
            known[project.name] = run(project, root / project.name, shared_home.environment)
        return known[project.name]

    return outcomes


def deployed(outcomes, name):
    assert "error" not in outcomes[name], outcomes[name]["error"]
    return outcomes[name]


@pytest.mark.parametrize(("project", "name"), CASES)
def test_what_the_notebook_answered_the_service_answers_from_elsewhere(outcomes_of, project, name):
    found = deployed(outcomes_of(project), name)
    assert found["served"] == {"predictions": [close(value) for value in found["answers"]]}


def close(value):
    """Floats that were summed in another order differ in their last bits."""
    if isinstance(value, list):
        return [close(item) for item in value]
    return pytest.approx(value, rel=1e-9) if isinstance(value, float) else value


@pytest.mark.parametrize("project", PROJECTS)
def test_only_modules_that_are_not_what_their_files_say_are_warned_of(outcomes_of, project):
    warned = {
        name
        for name, found in outcomes_of(project).items()
        for check, severity, _ in found.get("findings", ())
        if (check, severity) == ("edited-module", "warning")
    }
    assert warned == ({"edited-and-not-reloaded", "changed-global"} if project is MODULES else set())


def test_the_projects_source_can_be_read_in_the_snapshot(outcomes_of):
    shop = deployed(outcomes_of(MODULES), "local-package")
    assert {"code/shop/models.py", "code/shop/lazy.py", "code/shop/data/prices.json"} <= set(shop["files"])
    assert "code/house_rules.py" not in shop["files"]


@pytest.mark.exhaustive
def test_the_source_of_an_editable_install_is_in_the_snapshot_and_is_no_distribution_of_the_lock(outcomes_of):
    toolbox = deployed(outcomes_of(EDITABLE), "editable-install")
    assert "code/toolbox/helper.py" in toolbox["files"]
    assert "toolbox-of-the-team" not in toolbox["lock"]

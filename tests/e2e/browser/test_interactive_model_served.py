"""The same validation notebook, run by hand in an ordinary kernel: a real one."""

import os
from pathlib import Path

import psutil
import pytest
from jupyter_client.manager import start_new_kernel

from jupyter_deploy.domain.evidence.statistic import METRIC_MIME
from tests.conftest import make_home
from tests.e2e.conftest import until


class Kernel:
    """A kernel in which cells are run one after the other."""

    def __init__(self, home):
        self.manager, self.client = start_new_kernel(kernel_name="python3", env=home.environment, cwd=str(home.path))

    def run(self, source):
        """What a cell showed: texts and errors in one, and the documents for machines."""
        said, documents = [], []

        def hear(message):
            content = message["content"]
            if message["msg_type"] == "stream":
                said.append(content["text"])
            elif message["msg_type"] == "error":
                said.append(f"{content['ename']}: {content['evalue']}")
            elif "data" in content:
                said.append(content["data"].get("text/plain", ""))
                documents.extend(content["data"][mime] for mime in (METRIC_MIME,) if mime in content["data"])

        self.client.execute_interactive(source, output_hook=hear, timeout=120)
        return "\n".join(said), documents

    def kill(self):
        """As ``kill -9``: nothing in it can clear up."""
        os.kill(self.manager.provisioner.pid, 9)
        self.manager.shutdown_kernel(now=True)
        self.client.stop_channels()


@pytest.fixture
def kernel(churn_home):
    started = Kernel(churn_home)
    yield started
    if started.manager.has_kernel:
        started.kill()


PIDS = """
from jupyter_deploy.faces.kernel import interactive_model
print([served._process.pid for _, served in interactive_model._served.values()])
"""


def test_a_notebook_run_by_hand_finds_its_models_and_shows_what_it_records(kernel, snapshots):
    tags, _ = snapshots
    said, _ = kernel.run(
        "import pandas as pd\nfrom jupyter_deploy import model, metric, reference, check\n"
        "X = pd.DataFrame({'age': [20, 70], 'weight': [50.0, 90.0]})\n"
        "clf, ref = model(), reference()\nprint(clf, ref, clf.predict(X), model() is clf)"
    )
    assert f"<served model {tags[0.01]}> <served model {tags[1.0]}> ['no' 'yes'] True" in said
    assert f"model(): {tags[0.01]}, shadow of churn, served for this kernel" in said
    assert f"reference(): {tags[1.0]}, stable of churn, served for this kernel" in said
    said, documents = kernel.run("metric('accuracy', rows=[1, 0, 1])\ncheck('some yes', (clf(X) == 'yes').any())")
    assert said.splitlines() == ["accuracy = 0.666667 (mean of 3 rows)", "✓ some yes"]
    assert documents[0]["rows"] == [1.0, 0.0, 1.0]
    assert documents[1] == {"kind": "check", "name": "some yes", "passed": True, "detail": ""}
    again, _ = kernel.run("metric('accuracy', rows=[1, 0, 1])")  # a cell may run as often as its reader likes
    assert again == "accuracy = 0.666667 (mean of 3 rows)"
    said, _ = kernel.run("check('all', clf(X) == 'yes')")
    assert "InvalidInput: check 'all' is no one truth value but of the type ndarray" in said
    # A variable of the notebook's says which, and an argument before that.
    said, _ = kernel.run(f"snapshot = {tags[1.0]!r}\nprint(model().tag, model('churn').tag)")
    assert said.split() == [tags[1.0], tags[0.01]]
    assert "there is no endpoint 'chum'" in kernel.run("snapshot = None\nendpoint = 'chum'\nmodel()")[0]
    pids = [int(text) for text in kernel.run(PIDS)[0].strip("[]\n").split(",")]
    assert len(pids) == 2
    folders = {psutil.Process(pid).cwd() for pid in pids}
    kernel.kill()
    until(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    until(lambda: not any(Path(folder).exists() for folder in folders))


def test_without_an_endpoint_the_error_has_a_remedy(tmp_path):
    kernel = Kernel(make_home(tmp_path / "home"))
    try:
        said, _ = kernel.run("from jupyter_deploy import model\nmodel()")
        assert "there is no endpoint yet" in said
        assert "deploy a model first" in said
    finally:
        kernel.kill()

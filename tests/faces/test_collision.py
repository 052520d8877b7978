"""The other distribution named jupyter-deploy, which owns the same import name."""

import subprocess
import sys
from pathlib import Path

OTHER = Path("jupyter_deploy-1.0.dist-info")


def install_fake(folder):
    """A distribution of that name, with an ``__init__.py`` of its own, as pip would leave it."""
    (folder / OTHER).mkdir(parents=True)
    (folder / OTHER / "METADATA").write_text("Metadata-Version: 2.1\nName: jupyter-deploy\nVersion: 1.0\n")
    return folder


def run(folder, code, home):
    return subprocess.run(
        [sys.executable, "-c", code],
        env=home.environment | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_line_says_the_remedy(home, tmp_path):
    folder = install_fake(tmp_path / "site")
    ended = run(folder, "from jupyter_deploy.faces.cli.main import main; main(['list'])", home)
    assert ended.returncode == 2
    assert "jupyter-deploy 1.0 is installed too" in ended.stderr
    assert "pip uninstall -y jupyter-deploy nbdeploy && pip install nbdeploy" in ended.stderr


def test_it_does_so_although_the_others_init_won(home, tmp_path):
    import jupyter_deploy

    folder = install_fake(tmp_path / "site")
    package = folder / "jupyter_deploy"
    package.mkdir()
    (package / "__init__.py").write_text("VERSION = 'the other one'\n")
    for child in Path(jupyter_deploy.__file__).parent.iterdir():
        if child.is_dir() and not child.name.startswith("__"):
            (package / child.name).symlink_to(child)
    ended = run(folder, "from jupyter_deploy.faces.cli.main import main; main(['list'])", home)
    assert ended.returncode == 2, ended.stderr
    assert "jupyter-deploy 1.0 is installed too" in ended.stderr


def test_without_a_collision_there_is_no_message(home, tmp_path):
    ended = run(tmp_path, "from jupyter_deploy.faces.cli.main import main; main(['list', '-o', 'json'])", home)
    assert (ended.returncode, ended.stdout.strip()) == (0, "[]")

"""A user id without an entry in passwd, as containers have it."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")

USER = 54321

# The interpreter may lie in a folder that only root may enter.
READS = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


def ended(folder, **variables):
    folder.chmod(0o777)
    as_user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *READS]
    command = [*as_user, sys.executable, "-m", "jupyter_deploy", "list", "-o", "json"]
    own = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **variables}
    return subprocess.run(command, env=own, cwd=folder, capture_output=True, text=True, check=False)


def test_a_user_id_without_a_name_works(tmp_path):
    done = ended(tmp_path, HOME=str(tmp_path))
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_without_a_home_the_error_names_the_variable(tmp_path):
    done = ended(tmp_path)
    assert done.returncode == 2
    assert "this user has no home folder" in done.stderr
    assert "set HOME" in done.stderr
    assert "Traceback" not in done.stderr

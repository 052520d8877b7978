"""Secrets in the keyring of a desktop's session: the real one, on a bus of its own."""

import subprocess

import pytest

pytestmark = pytest.mark.exhaustive

SESSION = """
set -e
mkdir -m 700 -p "$XDG_RUNTIME_DIR" "$XDG_DATA_HOME"
printf password | gnome-keyring-daemon --unlock --components=secrets --daemonize >/dev/null
{commands}
"""


def in_session(home, commands):
    """The end of shell commands in a session with an unlocked keyring."""
    environment = home.environment | {
        "XDG_RUNTIME_DIR": str(home.path / "session"),
        "XDG_DATA_HOME": str(home.path / "data"),
    }
    environment.pop("DBUS_SESSION_BUS_ADDRESS", None)
    return subprocess.run(
        ["dbus-run-session", "--", "bash", "-c", SESSION.format(commands=commands)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_value_goes_into_the_keyring_and_no_file_has_it(home):
    command = f"{home.python} -m jupyter_deploy secret"
    read = f'{home.python} -P -m jupyter_deploy.system.secret_store "$NBDEPLOY_HOME" keyring:prod-db; echo'
    ended = in_session(
        home,
        f"printf 'hunter22x\\n' | {command} set prod-db; {command} list; {read}\n"
        f"grep -rl hunter22x {home.path} && exit 9\n{command} rm prod-db; {command} list",
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    stored, listed, value, removed, nothing = ended.stdout.splitlines()
    assert "is stored in the keyring" in stored
    assert (listed, value) == ("prod-db  keyring", "hunter22x")
    assert "removed" in removed
    assert "no secret is stored" in nothing

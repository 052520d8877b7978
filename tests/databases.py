"""PostgreSQL on this machine, which tests start and kill."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.conftest import free_port

_SECONDS = 60


def _program(name):
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


class Postgres:
    """A server of its own folder; root runs it as the user nobody, since PostgreSQL refuses root."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._process = None
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        options = ["-D", str(folder / "data"), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"]
        subprocess.run([_program("initdb"), *options], check=True, capture_output=True, **self._options())

    def start(self):
        """Start it, also after a kill, and wait until it answers."""
        options = ["-D", str(self.folder / "data"), "-p", str(self.port), "-k", "", "-h", "127.0.0.1", "-F"]
        self._process = subprocess.Popen(
            [_program("postgres"), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self._options()
        )
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("PostgreSQL did not start")

    def execute(self, statement, rows=None):
        """Run a statement, once for each of the rows if there are some."""
        with psycopg.connect(self.url, autocommit=True, connect_timeout=_SECONDS) as connection:
            if rows is None:
                connection.execute(statement)
            else:
                connection.cursor().executemany(statement, rows)

    def stop(self):
        """End it at once, with all its connections."""
        if self._process is not None:
            self._process.send_signal(3)  # SIGQUIT: immediate shutdown
            self._process.wait(_SECONDS)
            self._process = None

    def _options(self):
        home = {"cwd": self.folder}
        return home | {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid} if self._user else home


@contextmanager
def postgres():
    """A running server; its folder is gone afterwards. It is no folder of pytest, which other users may not enter."""
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as folder:
        server = Postgres(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()

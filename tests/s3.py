"""A server of S3 on this machine."""

import subprocess
import sys
import time
import urllib.request

from tests.conftest import free_port

KEYS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "AWS_DEFAULT_REGION": "us-east-1"}


class Store:
    """A server of S3 in a process of its own, that can be away."""

    def __init__(self):
        self.port = free_port()
        self.process = None

    def start(self):
        command = [sys.executable, "-m", "moto.server", "-p", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/moto-api/", timeout=5).close()
            except OSError:
                assert self.process.poll() is None
                time.sleep(0.05)
            else:
                return

    def end(self):
        self.process.kill()
        self.process.wait()

    @property
    def variables(self):
        """The variables by which clients of buckets find it."""
        return {**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}"}

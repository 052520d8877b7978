"""An S3 on this machine that the pods of the cluster reach."""

import re
import subprocess
import sys
import urllib.request

from tests.conftest import free_port
from tests.e2e.conftest import until

BRIDGE = "10.199.0.1"


class Bucket:
    """An S3 on the bridge, which the pods reach."""

    def __init__(self):
        port = free_port()
        self.url = "s3://records/nbdeploy"
        self.variables = {
            "AWS_ENDPOINT_URL": f"http://{BRIDGE}:{port}",
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        command = [sys.executable, "-m", "moto.server", "-H", BRIDGE, "-p", str(port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._answers)

    def objects(self):
        """The names of the objects in it, of a thousand at most."""
        with urllib.request.urlopen(f"{self.variables['AWS_ENDPOINT_URL']}/records?list-type=2", timeout=30) as answer:
            return re.findall(r"<Key>(.*?)</Key>", answer.read().decode())

    def _answers(self):
        request = urllib.request.Request(f"{self.variables['AWS_ENDPOINT_URL']}/records", method="PUT")
        try:
            urllib.request.urlopen(request, timeout=5).close()
        except OSError:
            return False
        return True

"""The cluster of ``scripts/cluster``: kubectl, and the faults that its parts can have."""

import json
import os
import signal
import subprocess
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts" / "cluster"
REGISTRY = "localhost:5005"
"""The nodes pull by the same name."""

GROUP = "data-science"
"""Of the users."""


def folder():
    """Where the build and the running cluster are."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("NBDEPLOY_KUBERNETES") or Path(cache) / "nbdeploy-kubernetes")


class Machine:
    """A running cluster of three nodes."""

    def __init__(self):
        self.folder = folder()
        self.kubeconfig = self.folder / "run" / "kubeconfig"

    def kubectl(self, *arguments, document=None, check=True):
        """What ``kubectl …`` prints; ``document`` is its input, as JSON."""
        ended = subprocess.run(
            [self.folder / "bin" / "kubectl", "--kubeconfig", self.kubeconfig, *map(str, arguments)],
            input=None if document is None else json.dumps(document),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0 or not check, f"{arguments}: {ended.stderr}"
        return ended.stdout

    def user(self, name, folder):
        """The kubeconfig, in a folder, of a person of the group ``data-science``, who has the rights of its Roles."""
        made = subprocess.run(["bash", SCRIPTS / "user.sh", name, GROUP], check=True, capture_output=True, text=True)
        path = folder / f"{name}.kubeconfig"
        path.touch(0o600)
        path.write_text(made.stdout)
        return path

    def get(self, namespace, kind, *arguments):
        """A list's items, or an object."""
        found = json.loads(self.kubectl("-n", namespace, "get", kind, *arguments, "-o", "json"))
        return found["items"] if found["kind"].endswith("List") else found

    def pods(self, namespace, selector=""):
        """The pods that are there and not about to end."""
        options = ("-l", selector) if selector else ()
        return [pod for pod in self.get(namespace, "pods", *options) if "deletionTimestamp" not in pod["metadata"]]

    def explained(self, namespace):
        """Pods, events and logs of a namespace, for the message of a failed test."""
        parts = [self.kubectl("-n", namespace, "get", "pods,services,deployments,events", "-o", "wide", check=False)]
        for pod in self.pods(namespace):
            name = pod["metadata"]["name"]
            words = self.kubectl("-n", namespace, "logs", name, "--all-containers", "--tail", 30, check=False)
            parts.append(f"--- {name}\n{words}")
        return "\n".join(parts)

    @contextmanager
    def namespace(self, name):
        """A namespace of that prefix; gone at the end, with all that is in it."""
        name = f"{name}-{uuid.uuid4().hex[:6]}"
        self.kubectl("create", "namespace", name)
        try:
            yield name
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false")

    def pid(self, name):
        """The process of a part: etcd, apiserver, kcm, scheduler, node1, node1.init."""
        return int((self.folder / "run" / "pid" / name).read_text())

    @contextmanager
    def paused(self, name):
        """A part does not answer, and connections to it stay open."""
        os.kill(self.pid(name), signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid(name), signal.SIGCONT)

    @contextmanager
    def autoscaler_every(self, seconds):
        """The autoscaler looks every so many seconds, which other tests expect to be two."""
        self._end(self.pid("kcm"))
        self.script("controllers.sh", HPA_SECONDS=seconds)
        try:
            yield
        finally:
            self._end(self.pid("kcm"))
            self.script("controllers.sh")

    @contextmanager
    def without_apiserver(self):
        """The API server is dead; connections to it are refused."""
        self._end(self.pid("apiserver"))
        try:
            yield
        finally:
            self.script("apiserver.sh")

    @contextmanager
    def without_etcd(self):
        """etcd is killed; it starts again with what it has on disk."""
        self._end(self.pid("etcd"))
        try:
            yield
        finally:
            self.script("etcd.sh")

    @contextmanager
    def without_registry(self):
        """Nobody answers where the nodes pull images; users publish as before."""
        self._end(self.pid("registry-10.199.0.1"))
        try:
            yield
        finally:
            self.script("registry.sh")

    @contextmanager
    def without_kubelet(self, node):
        """A node's kubelet is dead and stays so; its containers go on."""
        stopped = self.folder / "run" / node / "no-kubelet"
        stopped.touch()
        for pid in self._inside(node):
            if _command(pid).startswith("kubelet "):
                self._end(pid)
        try:
            yield
        finally:
            stopped.unlink()
            self.wait_for_node(node)

    @contextmanager
    def without_node(self, node):
        """A node is dead with all its processes."""
        os.kill(self.pid(f"{node}.init"), signal.SIGKILL)
        try:
            yield
        finally:
            self.script("start_node.sh", node.removeprefix("node"))
            self.wait_for_node(node)

    def kill_in(self, namespace, pod, word):
        """Kill the processes of a pod whose command line holds a word."""
        found = self.get(namespace, "pod", pod)
        ids = [one["containerID"].rpartition("/")[2] for one in found["status"]["containerStatuses"]]
        for pid in self._inside(found["spec"]["nodeName"]):
            with suppress(OSError):
                group = Path(f"/proc/{pid}/cgroup").read_text()
                if any(one in group for one in ids) and word in _command(pid).split():
                    self._end(pid)

    def wait_for_node(self, node):
        self.kubectl("wait", "--for=condition=Ready", f"node/{node}", "--timeout=180s")

    def script(self, name, *arguments, **variables):
        environment = os.environ | {key: str(value) for key, value in variables.items()}
        subprocess.run(["bash", SCRIPTS / name, *arguments], check=True, stdout=subprocess.DEVNULL, env=environment)

    def _inside(self, node):
        """The processes in a node's namespace."""
        space = Path(f"/proc/{self.pid(f'{node}.init')}/ns/pid").readlink()
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (path / "ns" / "pid").readlink() == space:
                    yield int(path.name)

    @staticmethod
    def _end(pid):
        os.kill(pid, signal.SIGKILL)
        while Path(f"/proc/{pid}").exists() and _command(pid):
            time.sleep(0.02)


def _command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""

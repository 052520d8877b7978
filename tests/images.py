"""A base image of the machine's own distribution, plans for images, and containers: for all tests of images."""

import contextlib
import fcntl
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile

import httpx

from scripts.lean_base import SUITES, machines_source, make, write_layout

from .waiting import until

# What rootful and rootless engines of a container without systemd and its cgroups need.
_CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile=16384:16384", "nproc=16384:16384"]
netns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
image_copy_tmp_dir = "{folder}/tmp"
"""


def make_base(folder, python="3.11"):
    """Make the base image of docs/how-to/build-a-small-base-image.md; return its name for skopeo.

    It is of this machine's release, whose R is the tests', with the Python of another one where it has none.
    """
    made = folder / "base"
    made.mkdir()
    suite, here = SUITES[python], platform.freedesktop_os_release().get("VERSION_CODENAME")
    if (suite, here) != ("bookworm", "trixie"):
        return make(made, python)
    libraries = ("libreadline8t64", "libdb5.3t64")  # with the names of the older release's, for its Python
    return make(made, python, [machines_source(here), machines_source(suite)], libraries)


def once(factory, name, make):
    """What ``make`` gives (JSON) when it is called with a folder: once for all files and workers of a session."""
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    made = folder / name / "made"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            made.parent.mkdir(exist_ok=True)
            made.write_text(json.dumps(make(made.parent)))
    return json.loads(made.read_text())


def shared_base(factory):
    """One base for all files and workers of a session, with this Python; its name for skopeo."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return once(factory, "base-image", lambda folder: make_base(folder, python))


def tar_of(files):
    """A tar archive of these files."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return written.getvalue()


def write_small_base(folder, python="3.11.2", glibc="2.36", **options):
    """A base that cannot run: for tests without a container."""
    minor = python.rpartition(".")[0]
    files = {f"usr/bin/python{minor}": b"ELF\0" + python.encode() + b"\0"}
    if glibc:
        files["usr/lib/libc.so.6"] = f"GNU C Library stable release version {glibc}.\n".encode()
    return write_layout(folder, [tar_of(files)], **options)


def unpacked(store, image):
    """Name -> (header in the archive, content) in each layer above the base."""
    found = []
    for layer in image.layers:
        if layer.kind != "base":
            with tarfile.open(store.blob(layer.digest)) as tar:
                found.append({m.name: (m, tar.extractfile(m).read() if m.isfile() else b"") for m in tar})
    return found


def driver_for(folder):
    """How podman keeps images there: as layers where these can be mounted, else each layer with all below it."""
    for name in ("lower", "upper", "work", "merged"):
        (folder / "tried" / name).mkdir(parents=True)
    place = folder / "tried"
    layers = f"lowerdir={place}/lower,upperdir={place}/upper,workdir={place}/work"
    mounted = subprocess.run(
        ["mount", "-t", "overlay", "overlay", "-o", layers, place / "merged"], capture_output=True, check=False
    )
    if mounted.returncode == 0:
        subprocess.run(["umount", place / "merged"], check=True)
    shutil.rmtree(place)
    return "vfs" if mounted.returncode else "overlay"


class Engine:
    """podman with a storage of its own."""

    def __init__(self, folder):
        folder.mkdir(parents=True)
        self._folder = folder
        (folder / "tmp").mkdir()
        (folder / "containers.conf").write_text(_CONTAINERS_CONF.format(folder=folder))
        (folder / "storage.conf").write_text(
            f'[storage]\ndriver = "{driver_for(folder)}"\n'
            f'graphroot = "{folder}/storage"\nrunroot = "{folder}/run"\n'
            '[storage.options.overlay]\nskip_mount_home = "true"\n'
        )
        self.environment = os.environ | {
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "PODMAN_IGNORE_CGROUPSV1_WARNING": "1",
        }

    def bridge(self):
        """From now on containers have networks of their own, as a user's have, and not this machine's."""
        conf = self._folder / "containers.conf"
        networks = f'[network]\nnetwork_config_dir = "{self._folder}/networks"\n'
        conf.write_text(conf.read_text().replace('netns = "host"\n', "") + networks)

    def run(self, *arguments, check=True):
        """What ``podman …`` prints."""
        command = ["podman", *map(str, arguments)]
        ended = subprocess.run(
            command, env=self.environment, cwd=self._folder, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0 or not check, f"{arguments}: {ended.stderr}"
        return ended.stdout.strip()

    def pull(self, store, digest):
        """An image of a store, in this storage; its id."""
        return self.run("pull", "--quiet", f"oci:{store}:{digest.replace(':', '-')}").splitlines()[-1]

    @contextlib.contextmanager
    def container(self, *arguments):
        """A container in the background; gone at the end."""
        name = self.run("run", "--detach", *arguments)
        try:
            yield name
        finally:
            self.run("rm", "--force", "--time", "2", name, check=False)

    def runs(self, name):
        return self.run("container", "inspect", "--format", "{{.State.Running}}", name) == "true"

    def wait_until_ready(self, name, url):
        """Wait until the release in a container is ready; its output is the failure if it ends instead."""

        def is_ready():
            try:
                return httpx.get(f"{url}/readyz", trust_env=False).status_code == httpx.codes.OK
            except httpx.TransportError:
                return False

        until(lambda: is_ready() or not self.runs(name), timeout=240)
        assert self.runs(name), self.said(name)

    def said(self, name):
        """The end of a container's output."""
        ended = subprocess.run(
            ["podman", "logs", "--tail", "40", name], env=self.environment, capture_output=True, text=True, check=False
        )
        return ended.stdout + ended.stderr

    def clear(self):
        self.run("rm", "--all", "--force", "--time", "2", check=False)
        self.run("rmi", "--all", "--force", check=False)

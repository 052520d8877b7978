"""Podman with its own configuration, and a read-only view of this machine's file system for containers.

No image and no registry: these tests are about the process in a container, not about its image.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.conftest import free_port
from tests.contract.contained import lines

ENGINE = """
[containers]
netns = "host"
default_ulimits = ["nofile=16384:16384", "nproc=16384:16384"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""

STORAGE = """
[storage]
driver = "vfs"
graphroot = "{folder}/graph"
runroot = "{folder}/run"
"""

HOME = "/opt/nbdeploy/bentoml"
HARDENED = ("--read-only", "--read-only-tmpfs=false", "--user=65532:65532", "--cap-drop=ALL")
HARDENED += ("--security-opt=no-new-privileges",)


class Engine:
    """Runs the entry point of bentos in containers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "containers.conf").write_text(ENGINE)
        (folder / "storage.conf").write_text(STORAGE.format(folder=folder))
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "PODMAN_IGNORE_CGROUPSV1_WARNING": "1",
        }
        self._root = folder / "root"
        # Python's own folders lie where they lie here: a virtual environment knows its interpreter by its path.
        self._mounts = sorted({"/usr", sys.prefix, str(Path(sys.executable).resolve().parents[1])})
        for place in (*self._mounts, HOME, "/etc", "/proc", "/sys", "/dev", "/run", "/tmp", "/records"):
            (self._root / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
        for name in ("bin", "lib", "lib64", "sbin"):
            if (Path("/") / name).is_symlink():
                (self._root / name).symlink_to(f"usr/{name}")
        (self._root / "etc" / "ld.so.cache").write_bytes(Path("/etc/ld.so.cache").read_bytes())

    def command(self, name: str, bento: str, home: Path, *options: str) -> list[str]:
        """``podman run`` of a bento of a BentoML home."""
        mounts = [f"--volume={place}:{place}:ro" for place in self._mounts if place == "/usr" or not _below_usr(place)]
        script = f"{HOME}/{Path(bento).relative_to(home)}/src/serving/container.py"
        return [
            "podman", "run", "--rm", f"--name={name}", *HARDENED, *mounts, f"--volume={home}:{HOME}:ro", *options,
            "--rootfs", str(self._root), sys.executable, "-P", script,
        ]  # fmt: skip

    def stop(self, name: str, seconds: int) -> None:
        """SIGTERM, and SIGKILL after so many seconds."""
        command = ["podman", "stop", f"--time={seconds}", name]
        subprocess.run(command, env=self.environment, capture_output=True, check=True, timeout=60)

    def remove(self, name: str) -> None:
        command = ["podman", "rm", "--force", "--ignore", "--time=0", name]
        subprocess.run(command, env=self.environment, capture_output=True, check=True, timeout=60)


class Running:
    """One container; its exit code is that of ``process``."""

    def __init__(self, engine: Engine, bento: str, home: Path, *options: str, port: int | None = None) -> None:
        self.engine, self.name, self.port = engine, f"contained-{uuid.uuid4().hex}", port or free_port()
        # Where a container reached its memory limit, conmon leaves a file in its working directory.
        self.process = subprocess.Popen(
            engine.command(self.name, bento, home, f"--env=PORT={self.port}", *options),
            env=engine.environment,
            cwd=engine.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60, trust_env=False)

    def until_ready(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.client.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"not ready: {self.process.communicate()[0] if self.process.poll() is not None else ''}")

    def predict(self, *rows: object) -> httpx.Response:
        return self.client.post("/predict", json={"instances": list(rows)})

    def ended(self) -> tuple[int, list[dict]]:
        """Its exit code and output, once it has ended."""
        out, _ = self.process.communicate(timeout=120)
        return self.process.returncode, lines(out)


@contextmanager
def running(engine: Engine, bento: str, home: Path, *options: str, **more: int) -> Iterator[Running]:
    """A container, gone at the end."""
    made = Running(engine, bento, home, *options, **more)
    try:
        yield made
    finally:
        made.client.close()
        engine.remove(made.name)
        made.process.communicate(timeout=60)


def _below_usr(place: str) -> bool:
    return Path(place).is_relative_to("/usr")

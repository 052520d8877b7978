"""Real registries on this machine: Debian's docker-registry, with users, certificates, and faults."""

import base64
import ctypes
import hashlib
import http.client
import io
import json
import os
import socket
import ssl
import subprocess
import tarfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from jupyter_deploy.domain.images.images import Image, Layer

from .conftest import free_port

USER, PASSWORD = "ada", "right-one"


@dataclass
class Running:
    """A registry: ``host`` as in references; its log has its requests."""

    host: str
    log: Path
    process: subprocess.Popen


class Authority:
    """A CA of the test's own, and certificates by it."""

    def __init__(self, folder):
        folder.mkdir()
        self.folder, self.certificate = folder, folder / "ca.pem"
        new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        ca = ["-x509", "-days", "2", "-subj", "/CN=a test's CA", "-out", self.certificate]
        _quietly([*new, *ca, "-keyout", folder / "ca.key"])

    def certified(self, *names):
        """Certificate and key of a server that has these names."""
        stem = self.folder / hashlib.sha256(repr(names).encode()).hexdigest()[:8]
        key, asked, got = (stem.with_suffix(suffix) for suffix in (".key", ".csr", ".pem"))
        names_file = stem.with_suffix(".ext")
        names_file.write_text("subjectAltName=" + ",".join(names))
        new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        _quietly([*new, "-subj", "/CN=registry", "-keyout", key, "-out", asked])
        by = ["-CA", self.certificate, "-CAkey", self.folder / "ca.key", "-CAcreateserial", "-days", "2"]
        _quietly(["openssl", "x509", "-req", "-in", asked, *by, "-extfile", names_file, "-out", got])
        return got, key


def _quietly(command):
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def registry(folder, *, certified=None, users=None, auth=None, read_only=False, storage=None):
    """A registry on a free port of localhost; ``certified`` is a certificate and its key, None: plain HTTP."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    keeping = {"filesystem": {"rootdirectory": str(storage or folder / "storage")}, "delete": {"enabled": True}}
    if read_only:
        keeping["maintenance"] = {"readonly": {"enabled": True}}
    settings = {"version": 0.1, "log": {"level": "info"}, "storage": keeping, "http": {"addr": f"127.0.0.1:{port}"}}
    if certified:
        settings["http"]["tls"] = {"certificate": str(certified[0]), "key": str(certified[1])}
    if auth:
        settings["auth"] = auth
    if users:
        (folder / "htpasswd").write_text("".join(f"{user}:{_bcrypt(secret)}\n" for user, secret in users.items()))
        settings["auth"] = {"htpasswd": {"realm": "a test", "path": str(folder / "htpasswd")}}
    (folder / "config.yml").write_text(yaml.safe_dump(settings))
    # It takes REGISTRY_… for settings of its own, clients' REGISTRY_AUTH_FILE too.
    unlike = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    command = ["docker-registry", "serve", str(folder / "config.yml")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=unlike, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_for(port, process, folder / "log", tls=certified is not None)
        yield Running(f"localhost:{port}", folder / "log", process)
    finally:
        process.terminate()
        process.wait()


def _wait_for(port, process, log, *, tls):
    while process.poll() is None:
        try:
            if tls:
                unverified = ssl._create_unverified_context()
                asked = http.client.HTTPSConnection("127.0.0.1", port, context=unverified)
            else:
                asked = http.client.HTTPConnection("127.0.0.1", port)
            asked.request("GET", "/v2/")
            asked.getresponse()
            asked.close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(log.read_text())


def _bcrypt(secret):
    """As htpasswd has it; the C library's crypt knows it wherever Debian is."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    salt = base64.b64encode(os.urandom(18), altchars=b"./").decode()[:21] + "u"
    return library.crypt(secret.encode(), f"$2b$05${salt}".encode()).decode()


def credentials(path, host, user=USER, secret=PASSWORD):
    """A file as ``docker login`` and ``podman login`` write it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    known = base64.b64encode(f"{user}:{secret}".encode()).decode()
    path.write_text(json.dumps({"auths": {host: {"auth": known}}}))
    return path


def make_image(store, **layers):
    """An image in an OCI layout whose layers hold one file each: the title's name, these bytes."""
    (store / "blobs/sha256").mkdir(parents=True, exist_ok=True)
    made = []
    for title, content in layers.items():
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            entry = tarfile.TarInfo(title)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        made.append((title, _put(store, "application/vnd.oci.image.layer.v1.tar", packed.getvalue())))
    about = {"architecture": "amd64", "os": "linux", "config": {}}
    about["rootfs"] = {"type": "layers", "diff_ids": [layer["digest"] for _, layer in made]}
    config = _put(store, "application/vnd.oci.image.config.v1+json", json.dumps(about).encode())
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer for _, layer in made]}
    named = _put(store, kind, json.dumps(manifest).encode())
    (store / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (store / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    return Image(
        digest=named["digest"],
        snapshot="tumour:1a2b3c",
        snapshot_digest="sha256:" + "0" * 64,
        builder="daemonless",
        base="registry.example/python@sha256:" + "1" * 64,
        platform="linux/amd64",
        python="3.11.2",
        layers=tuple(
            Layer(kind="model", title=title, digest=layer["digest"], size=layer["size"]) for title, layer in made
        ),
    )


def _put(store, kind, content):
    digest = hashlib.sha256(content).hexdigest()
    (store / "blobs/sha256" / digest).write_bytes(content)
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}


class Faulty:
    """A TCP proxy in front of a registry, for what a registry itself cannot be made to show.

    ``behave`` is asked at each new connection how many bytes, the client's or the registry's (``of``), it lets through
    before it acts: ``cut``, or ``hold`` (open and silent until ``go_on``). Then ``reached`` is set.
    """

    def __init__(self, host, behave, of):
        self._port = int(host.rpartition(":")[2])
        self._behave, self._of = behave, of
        self._server = socket.create_server(("127.0.0.1", 0))
        self.host = f"localhost:{self._server.getsockname()[1]}"
        self.connections = 0
        self.reached = threading.Event()
        self._goes_on = threading.Event()
        self._open = []
        threading.Thread(target=self._serve, daemon=True).start()

    def go_on(self):
        """The held bytes are sent."""
        self._goes_on.set()

    def close(self):
        self._goes_on.set()
        for one in [self._server, *self._open]:
            one.close()

    def _serve(self):
        while True:
            try:
                client, _ = self._server.accept()
                behind = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                return
            limit, then = self._behave(self.connections)
            self.connections += 1
            self._open += [client, behind]
            for whose, source, sink in (("client", client, behind), ("registry", behind, client)):
                left = limit if whose == self._of else None
                threading.Thread(target=self._pump, args=(source, sink, left, then), daemon=True).start()

    def _pump(self, source, sink, left, then):
        try:
            while got := source.recv(65536):
                if left is not None:
                    left -= len(got)
                    if left < 0:
                        self.reached.set()
                        if then == "cut":
                            break
                        self._goes_on.wait()
                        left = None
                sink.sendall(got)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


@contextmanager
def faulty(host, behave, of="client"):
    proxy = Faulty(host, behave, of)
    try:
        yield proxy
    finally:
        proxy.close()

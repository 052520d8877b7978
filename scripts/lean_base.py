"""A small base image for published models: ``python -m scripts.lean_base FOLDER [--python 3.11] [--source LINE …]``.

It holds one Python of Debian's with its standard library compiled, the C and C++ libraries that wheels need
(libstdc++, libgomp), and the certificates of authorities: no shell, no package manager, no documentation, no other
programs. The packages are unpacked, not installed (mmdebstrap's variant *extract*), so none of their scripts runs; what
these would have done and is needed is done here. ``/var/lib/dpkg/status`` and ``/etc/os-release`` say what is in it,
for programs that look for known weaknesses.

It is written as an image in OCI's layout: ``base_image: oci:FOLDER:3.11`` in nbdeploy.yaml, or, for everybody,
``skopeo copy oci:FOLDER:3.11 docker://registry.example/python:3.11``. The same packages give the same digest.

It needs mmdebstrap, and root or user namespaces.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import platform
import re
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SUITES = {"3.11": "bookworm", "3.13": "trixie"}
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

_PACKAGES = ("base-files", "python{python}", "libstdc++6", "libgomp1", "ca-certificates")

# Run when all is unpacked; "$1" is the folder.
_AFTERWARDS = (
    # What is in it, as dpkg would note it.
    'mkdir -p "$1/var/lib/dpkg"; for deb in "$1"/var/cache/apt/archives/*.deb; do'
    ' dpkg-deb --field "$deb"; echo "Status: install ok installed"; echo; done > "$1/var/lib/dpkg/status"',
    # Users by name: BuildKit and libraries ask for them, and base-passwd's script, which would write them, is not run.
    'echo "root:x:0:0:root:/root:/sbin/nologin" > "$1/etc/passwd"; echo "root:x:0:" > "$1/etc/group";'
    ' echo "nonroot:x:65532:65532:nonroot:/:/sbin/nologin" >> "$1/etc/passwd";'
    ' echo "nonroot:x:65532:" >> "$1/etc/group"',
    # What update-ca-certificates would do, by the name under which OpenSSL looks first.
    'mkdir -p "$1/etc/ssl/certs" && cat "$1"/usr/share/ca-certificates/mozilla/*.crt'
    ' > "$1/etc/ssl/certs/ca-certificates.crt" && ln -sf /etc/ssl/certs/ca-certificates.crt "$1/usr/lib/ssl/cert.pem"',
    # Else each start of a container whose files cannot be written compiles what it imports.
    'PYTHONHASHSEED=0 chroot "$1" /usr/bin/python{python} -I -m compileall -q --invalidation-mode unchecked-hash'
    " -x '{unwanted}' /usr/lib/python{python}",
)

# Parts of the standard library that are for people who write programs.
_UNWANTED = r"/(idlelib|lib2to3|pydoc_data|turtledemo|test|tests|tkinter)/"

_LEFT_OUT = re.compile(
    r"(usr/share/(doc|man|info|locale|lintian|bug|doc-base|perl5|bash-completion|zsh|menu|common-licenses/GFDL.*)|"
    r"etc/apt|var/(lib/apt|cache|log)|usr/lib/python3\.\d+/(idlelib|lib2to3|pydoc_data|turtledemo))(/|$)|dev/.|"
    r"usr/bin/(?!python)|usr/sbin/|usr/share/man|.*\.dpkg-(new|old)$"
)


def machines_source(suite: str) -> str:
    """A line for apt with this suite, from where this machine's own packages come."""
    for file in sorted(Path("/etc/apt/sources.list.d").glob("*.sources")):
        for line in file.read_text().splitlines():
            if line.startswith("URIs: http"):
                return f"deb {line.split()[1]} {suite} main"
    for line in Path("/etc/apt/sources.list").read_text().splitlines():
        if found := re.match(r"deb (?:\[[^]]*\] )?(http\S+)", line):
            return f"deb {found[1]} {suite} main"
    raise SystemExit("this machine names no source of Debian packages: --source 'deb URL SUITE main'")


def make(folder: Path, python: str, sources: Sequence[str] = (), more: Sequence[str] = ()) -> str:
    """The base in a new OCI layout, with ``more`` packages; what skopeo and the setting ``base_image`` call it."""
    suite = SUITES[python]
    tar = folder / f"{suite}.tar"
    hooks = [one.replace("{python}", python).replace("{unwanted}", _UNWANTED) for one in _AFTERWARDS]
    command = [
        "mmdebstrap",
        "--quiet",
        "--variant=extract",
        f"--include={','.join((*_PACKAGES, *more)).format(python=python)}",
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        *(f"--extract-hook={hook}" for hook in hooks),
        suite,
        str(tar),
        *(sources or [machines_source(suite)]),
    ]
    made = subprocess.run(
        command, env=os.environ | {"SOURCE_DATE_EPOCH": "0"}, capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise SystemExit(f"mmdebstrap ended with {made.returncode}:\n{made.stderr[-2000:]}")
    layer = lean(tar.read_bytes())
    tar.unlink()
    return write_layout(folder, [layer], tag=python)


def lean(archive: bytes) -> bytes:
    """The same archive without what nothing in a container asks for."""
    written = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive)) as whole,
        tarfile.open(fileobj=written, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for member in whole:
            member.name = member.name.removeprefix("./") or "."
            if not _LEFT_OUT.match(member.name):
                tar.addfile(member, whole.extractfile(member) if member.isfile() else None)
    return written.getvalue()


def write_layout(
    folder: Path,
    layers: Sequence[bytes],
    *,
    tag: str = "base",
    architecture: str = ARCHITECTURES[platform.machine()],
    config: Mapping[str, Any] | None = None,
) -> str:
    """An OCI layout with one image of these tar archives; what skopeo calls it."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def blob(content: bytes, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    packed = [blob(gzip.compress(layer, 6, mtime=0), "layer.v1.tar+gzip") for layer in layers]
    diff_ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    about = {
        "architecture": architecture,
        "os": "linux",
        "config": config or {},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(json.dumps(about).encode(), "config.v1+json"),
        "layers": packed,
    }
    entry = blob(json.dumps(manifest).encode(), "manifest.v1+json")
    entry["annotations"] = {"org.opencontainers.image.ref.name": tag}
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    return f"oci:{folder}:{tag}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", choices=SUITES, default="3.11", help="the notebook's minor version")
    parser.add_argument("--source", action="append", default=[], help="a line for apt (default: this machine's)")
    given = parser.parse_args()
    folder = given.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    print(make(folder, given.python, given.source))


if __name__ == "__main__":
    main()

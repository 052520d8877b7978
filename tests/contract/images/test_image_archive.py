"""Layers have the same bytes wherever they are made, and the given content."""

import gzip
import hashlib
import io
import os
import random
import subprocess
import sys
import tarfile
import tracemalloc

import pytest

from jupyter_deploy.container_images import archive
from jupyter_deploy.container_images.archive import Entry, entries_of, unpack, write_layer, write_tree
from jupyter_deploy.domain.errors import ImageNotBuilt


def a_folder(folder):
    """Files as they come: of several modes and times, a link, a long name, and one of more than a chunk."""
    (folder / "lib" / "empty").mkdir(parents=True)
    (folder / "lib" / "größe.txt").write_text("1")
    (folder / "lib" / ("long" * 40)).write_text("2")
    (folder / "lib-x").write_text("3")
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o700)
    (folder / "link").symlink_to("lib/größe.txt")
    (folder / "large").write_bytes(random.Random(0).randbytes(3 << 20))
    return folder


def read(file):
    with tarfile.open(file) as tar:
        return tar.getmembers()


@pytest.mark.parametrize("compressed", [True, False])
def test_the_description_of_a_layer_matches_its_content(tmp_path, compressed):
    packed = write_layer(entries_of(a_folder(tmp_path / "a"), "opt/x"), tmp_path / "layer", compressed=compressed)
    sent = (tmp_path / "layer").read_bytes()
    assert packed.digest == f"sha256:{hashlib.sha256(sent).hexdigest()}"
    assert packed.size == len(sent)
    tar = gzip.decompress(sent) if compressed else sent
    assert packed.diff_id == f"sha256:{hashlib.sha256(tar).hexdigest()}"
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        assert opened.extractfile("opt/x/large").read() == (tmp_path / "a" / "large").read_bytes()


def test_all_belongs_to_root_is_of_1970_and_can_be_read_by_all(tmp_path):
    write_layer(entries_of(a_folder(tmp_path / "a"), "opt/x"), tmp_path / "layer")
    members = {member.name: member for member in read(tmp_path / "layer")}
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members.values()} == {(0, 0, "", "", 0)}
    assert {name: oct(m.mode) for name, m in members.items() if "long" not in name} == {
        "opt": "0o755",
        "opt/x": "0o755",
        "opt/x/large": "0o644",
        "opt/x/lib": "0o755",
        "opt/x/lib/größe.txt": "0o644",
        "opt/x/lib-x": "0o644",
        "opt/x/link": "0o777",
        "opt/x/run": "0o755",
    }
    assert members["opt/x/link"].linkname == "lib/größe.txt"


def test_folders_come_before_what_is_in_them_and_once(tmp_path):
    entries = [Entry("b/c/d", b"1"), Entry("b-a", b"2"), Entry("b/a", b"3"), Entry("a", None)]
    write_layer(entries, tmp_path / "layer")
    assert [member.name for member in read(tmp_path / "layer")] == ["a", "b", "b/a", "b/c", "b/c/d", "b-a"]


WRITE = """
import os, sys
from pathlib import Path
from jupyter_deploy.container_images.archive import entries_of, write_layer
os.umask(int(sys.argv[3], 8))
print(write_layer(entries_of(Path(sys.argv[1]), "opt/x"), Path(sys.argv[2])).digest)
"""


def test_another_folder_umask_time_zone_and_number_of_processors_make_the_same_bytes(tmp_path, monkeypatch):
    first = write_layer(entries_of(a_folder(tmp_path / "a"), "opt/x"), tmp_path / "one")
    other = a_folder(tmp_path / "deeper" / "b")
    for path in other.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)
    (other / "lib-x").chmod(0o600)
    ended = subprocess.run(
        [sys.executable, "-c", WRITE, other, tmp_path / "two", "077"],
        env=os.environ | {"TZ": "Asia/Tokyo", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == first.digest
    monkeypatch.setattr(archive.os, "cpu_count", lambda: 7)
    assert write_layer(entries_of(other, "opt/x"), tmp_path / "three") == first


@pytest.mark.parametrize("compressed", [True, False])
def test_a_large_file_does_not_go_through_memory(tmp_path, compressed):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(200 << 20)
    tracemalloc.start()
    write_layer([Entry("large", tmp_path / "large")], tmp_path / "layer", compressed=compressed)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 << 20


def test_a_file_that_shrinks_while_it_is_read_makes_no_layer(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"12345")
    real = os.fstat

    def larger(descriptor):
        found = real(descriptor)
        return os.stat_result([*found[:6], found.st_size + 10, *found[7:10]])

    monkeypatch.setattr(archive.os, "fstat", larger)
    with pytest.raises(OSError, match="unexpected end of data"):
        write_layer([Entry("file", tmp_path / "file")], tmp_path / "layer")


def another_users(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.mtime, info.uid, info.uname = 1_800_000_000.5, 1000, "ada"
    return info


def test_a_layer_that_somebody_else_wrote_comes_out_as_one_of_the_same_files_written_here(tmp_path):
    script, folder = tmp_path / "script", tmp_path / "unpacked"
    script.write_text("#!/bin/sh\n")
    entries = [
        Entry("opt/a/bin/run", script, executable=True),
        Entry("opt/a/bin/also", "run"),
        Entry("opt/a/python", "/usr/bin/python3.11"),
        Entry("opt/a/empty/folder", None),
        Entry("opt/a/text", b"hello"),
    ]
    others = tmp_path / "others.tar"
    with tarfile.open(others, "w", format=tarfile.PAX_FORMAT) as tar:
        made = tmp_path / "made"
        write_tree(entries, made)
        tar.add(made, ".", filter=another_users)
    assert write_layer(unpack(others, folder), tmp_path / "one") == write_layer(entries, tmp_path / "other")


@pytest.mark.parametrize(("kind", "name", "link"), [
    (tarfile.REGTYPE, "../../outside", ""),
    (tarfile.REGTYPE, "opt/link/outside", ""),
    (tarfile.LNKTYPE, "opt/hard", "../outside"),
])  # fmt: skip
def test_a_layer_whose_names_lead_out_of_its_folder_is_refused(tmp_path, kind, name, link):
    (tmp_path / "outside").write_text("of somebody")
    layer = tmp_path / "layer.tar"
    with tarfile.open(layer, "w") as tar:
        folder = tarfile.TarInfo("opt/link")
        folder.type, folder.linkname = tarfile.SYMTYPE, str(tmp_path)
        tar.addfile(folder)
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, link
        tar.addfile(entry)
    with pytest.raises(ImageNotBuilt, match="leads out of its folder"):
        unpack(layer, tmp_path / "unpacked" / "here")
    assert (tmp_path / "outside").read_text() == "of somebody"

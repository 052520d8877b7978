"""The store's file: its version, damage and recovery, full and read-only disks, changed clocks."""

import multiprocessing
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from jupyter_deploy import __version__
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.store.database import SCHEMA_VERSION
from jupyter_deploy.store.store import SqliteStore
from jupyter_deploy.system.filesystem import network_kind
from tests.disks import small_disk
from tests.releases import release

ONE, TWO = release("one"), release("two")
FIRST = Endpoint.first(ONE)
SECOND = FIRST.with_release(TWO)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def file(home):
    """The file of a store with two revisions."""
    store = SqliteStore(home, "ada")
    store.save(FIRST, based_on=0, reason="", change="")
    store.save(SECOND, based_on=1, reason="", change="")
    return home / "state.sqlite"


# Versions


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 99])
def test_a_newer_store_says_which_nbdeploy_wrote_it_and_stays_as_it_is(file, version):
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE meta SET value = '9.9'")
        db.execute(f"PRAGMA user_version = {version}")
    before = file.read_bytes()
    for use in (lambda s: s.endpoints(), lambda s: s.save(FIRST, based_on=0, reason="", change="")):
        with pytest.raises(StoreError, match=rf"(?s)nbdeploy 9\.9, .* this is {__version__}.*upgrade this"):
            use(SqliteStore(file.parent, "ada"))
    assert file.read_bytes() == before


# Damage


def _garbage(file):
    file.write_bytes(os.urandom(20_000))


def _short_garbage(file):
    file.write_bytes(b"oops")


def _truncated(file):
    os.truncate(file, file.stat().st_size // 2 + 100)


def _emptied(file):
    os.truncate(file, 0)


def _torn(file):
    content = file.read_bytes()
    file.write_bytes(content[:4096] + os.urandom(4096) + content[8192:])


def _another_programs(file):
    file.unlink()
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("CREATE TABLE birds (name TEXT)")


def _unreadable_document(file):
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE endpoints SET state = replace(state, 'stable', 'unheard-of')")


@pytest.mark.parametrize(
    "damage",
    [_garbage, _short_garbage, _truncated, _emptied, _torn, _another_programs, _unreadable_document, Path.unlink],
    ids=lambda damage: damage.__name__.strip("_"),
)
def test_damage_is_reported_nothing_is_overwritten_and_the_remedy_works(file, damage):
    damage(file)
    before = file.read_bytes() if file.exists() else None
    store = SqliteStore(file.parent, "ada")
    with pytest.raises(StoreError, match="damaged") as raised:
        store.endpoint("tumour")
    if damage is not _unreadable_document:  # what others need is whole: they go on
        with pytest.raises(StoreError, match="damaged"):
            store.save(Endpoint.first(release("x", name="new")), based_on=0, reason="", change="")
    assert (file.read_bytes() if file.exists() else None) == before
    _, _, commands = raised.value.remedy.partition(": ")
    subprocess.run(["sh", "-c", commands.replace("nbdeploy reconcile", "true")], check=True)
    assert store.endpoint("tumour") == SECOND
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_without_a_copy_the_remedy_is_a_new_store(file):
    for path in file.parent.glob("state.*"):
        path.unlink()
    file.write_bytes(b"oops")
    with pytest.raises(StoreError, match="no copy") as raised:
        SqliteStore(file.parent, "ada").endpoints()
    _, _, commands = raised.value.remedy.partition("Begin anew: ")
    subprocess.run(["sh", "-c", commands.replace("nbdeploy down", ":").partition("; and")[0]], check=True)
    assert SqliteStore(file.parent, "ada").endpoints() == []


def test_whatever_part_of_the_file_is_lost_the_answer_is_right_or_an_error(file):
    content = file.read_bytes()
    broken = [content[:length] for length in range(512, len(content), 512)]
    broken += [content[:at] + bytes(512) + content[at + 512 :] for at in range(0, len(content), 512)]
    said = 0
    for damaged in broken:
        file.write_bytes(damaged)
        try:
            assert SqliteStore(file.parent, "ada").endpoint("tumour") == SECOND
        except StoreError:
            said += 1
    assert said > len(content) // 512


def _die_while_writing(file):
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("PRAGMA cache_size = 1")  # so that pages reach the file before the transaction ends
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE endpoints SET state = 'half'")
        for number in range(200):
            db.execute("INSERT INTO snapshots VALUES (?, '', ?)", (str(number), "x" * 5000))
        os.kill(os.getpid(), signal.SIGKILL)


def test_an_incomplete_change_of_a_killed_process_is_rolled_back(file):
    dying = multiprocessing.get_context("spawn").Process(target=_die_while_writing, args=(file,), daemon=True)
    dying.start()
    dying.join(60)
    assert b"half" in file.read_bytes() or file.stat().st_size > 500_000, "it had begun to write"
    assert SqliteStore(file.parent, "ada").endpoint("tumour") == SECOND


# Disks


def test_a_full_disk_is_an_error_that_names_the_store_and_stored_data_stays_readable(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        store = SqliteStore(disk.path / "home", "ada")
        store.save(FIRST, based_on=0, reason="", change="")
        disk.fill()
        with pytest.raises(StoreError, match=r"(?s)state\.sqlite.*disk is full.*check the disk's space"):
            store.save(SECOND, based_on=1, reason="", change="")
        with pytest.raises(StoreError, match="its disk is full"):
            store.check()
        assert store.endpoint("tumour") == FIRST
        disk.free()
        store.save(SECOND, based_on=1, reason="", change="")
        assert [r.revision for r in store.history("tumour")] == [2, 1]


def test_a_read_only_home_can_be_looked_at_and_refuses_to_be_written(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        SqliteStore(disk.path / "home", "ada").save(FIRST, based_on=0, reason="", change="")
        disk.read_only()
        store = SqliteStore(disk.path / "home", "ada")
        assert store.endpoint("tumour") == FIRST
        with pytest.raises(StoreError, match="read-only"):
            store.check()
        for write in (lambda: store.save(SECOND, based_on=1, reason="", change=""), lambda: store.intend(TWO)):
            with pytest.raises(StoreError, match=r"[Rr]ead-only"):
                write()


def test_no_commit_is_in_a_second_file_that_could_be_lost_or_need_shared_memory(home, file):
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert sorted(path.name for path in home.iterdir()) == ["locks", "state.copy.sqlite", "state.sqlite"]


MOUNTINFO = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home rw shared:2 - nfs4 server:/home rw,vers=4.2
31 30 8:2 / /home/ada/scratch rw - xfs /dev/sdb1 rw
32 22 0:41 / /mnt/with\040space rw - fuse.sshfs ada@host: rw
33 22 0:42 / /srv rw - nfs server:/srv rw
34 22 8:3 / /srv rw - ext4 /dev/sdc1 rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib", None),
        ("/home/ada/.local", "nfs4"),
        ("/homestead", None),
        ("/home/ada/scratch/x", None),
        ("/mnt/with space/x", "fuse.sshfs"),
        ("/srv/x", None),
    ],
)
def test_a_home_on_a_network_file_system_is_known_by_the_mount_that_covers_it(path, kind):
    assert network_kind(Path(path), MOUNTINFO) == kind


# Clocks

LOOK = """
import sys
from pathlib import Path
from jupyter_deploy.store.store import SqliteStore
store = SqliteStore(Path(sys.argv[1]), "ada")
print(len(store.intended()), len(store.abandoned()))
"""

# Setting the clock moves the time of the boot, as the kernel tells it, and with it every process's time of creation.
CLOCK_WAS_SET = """
sed 's/^btime .*/btime 1000000000/' /proc/stat > "$0/stat" && mount --bind "$0/stat" /proc/stat && exec "$@"
"""


def _intend(home, ready):
    SqliteStore(home, "x").intend(TWO)
    ready.set()
    signal.pause()


def test_a_clock_that_is_set_does_not_make_a_living_process_look_gone(tmp_path, home):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    other = context.Process(target=_intend, args=(home, ready), daemon=True)
    other.start()
    assert ready.wait(60)
    look = [sys.executable, "-c", LOOK, str(home)]
    ended = subprocess.run(
        ["unshare", "--mount", "sh", "-c", CLOCK_WAS_SET, tmp_path, *look], capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == ["1", "0"]
    other.kill()
    other.join()
    assert subprocess.run(look, capture_output=True, text=True, check=True).stdout.split() == ["0", "1"]


def test_a_later_process_with_the_same_id_is_another_one(home):
    store = SqliteStore(home, "ada")
    store.intend(TWO)
    assert store.abandoned() == []
    with closing(sqlite3.connect(home / "state.sqlite")) as db, db:
        db.execute("UPDATE intents SET born = replace(born, ' ', ' 1')")
    assert store.abandoned() == [TWO]


def test_history_keeps_its_order_when_the_clock_goes_back(home, monkeypatch):
    from datetime import UTC, datetime

    store = SqliteStore(home, "ada")
    endpoint = FIRST
    for year in (2030, 2020, 2025):
        monkeypatch.setattr("jupyter_deploy.store.store.now", lambda year=year: datetime(year, 1, 1, tzinfo=UTC))
        store.save(endpoint, based_on=endpoint.revision - 1, reason="", change="")
        endpoint = endpoint.with_release(release(f"of{year}"))
    assert [(r.revision, r.at.year) for r in store.history("tumour")] == [(3, 2025), (2, 2020), (1, 2030)]

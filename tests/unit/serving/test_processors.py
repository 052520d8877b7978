"""CPU limits of a process's control groups, read from files in the kernel's format."""

import os

import pytest

from jupyter_deploy.serving.hosting import processors

MOUNT = "31 24 0:27 {root} {point} ro,nosuid,nodev,noexec,relatime - {system} {system} {options}\n"


class Machine:
    """Write ``/proc/self`` and its tree of control groups."""

    def __init__(self, folder):
        self.proc, self.tree = folder / "proc", folder / "tree"
        self.proc.mkdir()
        self.says(cgroup="", mountinfo="20 1 0:1 / / rw - ext4 /dev/sda rw\n")

    def says(self, **files):
        for name, text in files.items():
            (self.proc / name).write_text(text)

    def mounts(self, system, *, root="/", options="rw"):
        with (self.proc / "mountinfo").open("a") as file:
            file.write(MOUNT.format(root=root, point=self.tree, system=system, options=options))

    def group(self, path, **files):
        folder = self.tree / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name.replace("cpu_", "cpu.")).write_text(f"{text}\n")

    @property
    def quota(self):
        return processors.quota(self.proc)


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_cgroup_2_limits_of_the_group_and_its_parents_count(machine):
    machine.says(cgroup="0::/user.slice/app.scope\n")
    machine.mounts("cgroup2", options="rw,nsdelegate")
    assert machine.quota is None
    machine.group("user.slice/app.scope", cpu_max="max 100000")
    assert machine.quota is None
    machine.group("user.slice", cpu_max="150000 100000")
    assert machine.quota == 1.5
    machine.group("user.slice/app.scope", cpu_max="50000 100000")
    assert machine.quota == 0.5


def test_a_containers_own_group_may_be_the_visible_top(machine):
    machine.says(cgroup="0::/\n")
    machine.mounts("cgroup2")
    machine.group("", cpu_max="200000 100000")
    assert machine.quota == 2


def test_cgroup_1_limits_of_the_cpu_controller_count(machine):
    machine.says(cgroup="7:memory:/box/one\n4:cpu,cpuacct:/box/one\n")
    machine.mounts("cgroup", root="/box/one", options="rw,memory")
    assert machine.quota is None
    machine.mounts("cgroup", root="/box/one", options="rw,cpu,cpuacct")
    machine.group("", cpu_cfs_quota_us="-1", cpu_cfs_period_us="100000")
    assert machine.quota is None
    machine.group("", cpu_cfs_quota_us="100000", cpu_cfs_period_us="50000")
    assert machine.quota == 2


def test_unreadable_limits_are_ignored(machine, tmp_path):
    assert processors.quota(tmp_path / "nothing") is None
    machine.says(cgroup="0::/\n")
    machine.mounts("cgroup2")
    machine.group("", cpu_max="many of them")
    assert machine.quota is None


@pytest.mark.parametrize(
    ("seen", "quota", "asked", "threads"),
    [
        (8, None, (None, 1), None),  # libraries see as many themselves
        (8, 8.0, (None, 1), None),
        (8, 1.0, (None, 1), 1),
        (8, 0.5, (None, 1), 1),
        (8, 2.9, (None, 1), 2),
        (8, None, (None, 4), 2),
        (8, 3.0, (None, 2), 1),
        (2, None, (None, 4), 1),
        (8, 1.0, (5, 2), 5),  # somebody knows better
    ],
)
def test_threads_follow_the_cpu_limit_and_the_workers(monkeypatch, seen, quota, asked, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(seen)), raising=False)
    monkeypatch.setattr(processors, "quota", lambda: quota)
    assert processors.threads(*asked) == threads
    assert processors.processors() == max(1, int(min(seen, quota or seen)))

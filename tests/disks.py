"""Small disks to fill and to make read-only. Needs the right to mount."""

import subprocess
from contextlib import contextmanager


class Disk:
    def __init__(self, path):
        self.path = path

    def fill(self, spare=0):
        """Until only ``spare`` bytes are left."""
        reserved = self.path / "spare"
        reserved.write_bytes(b"\0" * spare)
        with (self.path / "filler").open("ab", buffering=0) as file:
            for size in (1 << 16, 1 << 12, 1):
                try:
                    while True:
                        file.write(b"\0" * size)
                except OSError:
                    continue
        reserved.unlink()

    def free(self):
        (self.path / "filler").unlink()

    def read_only(self):
        """For files opened from now on: another mount in front of the disk."""
        subprocess.run(["mount", "--bind", self.path, self.path], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", self.path], check=True)


@contextmanager
def small_disk(path, size="2m"):
    """A disk, mounted at a new folder."""
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "nbdeploy-test", path], check=True)
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", "--recursive", path], check=True)

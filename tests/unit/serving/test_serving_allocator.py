"""A served process reuses the memory of former requests."""

import subprocess
import sys

BLOCKS = """
import resource, sys
sys.path.insert(0, {path!r})
import numpy as np
from jupyter_deploy.serving.hosting.allocator import keep_freed_memory
if {kept}:
    keep_freed_memory()

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        one, two = np.ones(250_000), np.ones(250_000)  # two blocks, so that one is not simply used again
        del one, two
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
print(faults())
"""


def page_faults(*, kept):
    code = BLOCKS.format(path=sys.path[0], kept=kept)
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)


def test_blocks_of_megabytes_are_reused():
    assert page_faults(kept=True) < 1000

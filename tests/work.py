"""How much work something is, on a machine on which others work too."""

import gc
import time


def work_of(call, rounds=3):
    """Seconds of this process's own processor time, the least of some rounds, without Python's clearing up."""
    least = float("inf")
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            began = time.process_time()
            call()
            least = min(least, time.process_time() - began)
    finally:
        gc.enable()
    return least

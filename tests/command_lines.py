"""Command lines of processes, as tests look for them."""

import time

import psutil


def command_line(process):
    """A process's command line. It is read again if empty: so it is for an instant while another program is loaded.

    Raises psutil.Error: the process has ended.
    """
    for _ in range(20):
        if line := " ".join(process.cmdline()):
            return line
        if process.ppid() in (0, 2) or ended(process):  # 2: the kernel's own threads have none
            break
        time.sleep(0.01)
    return ""


def ended(process):
    """Whether none of its threads is left: after a kill the first may have ended while others still write files."""
    return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1

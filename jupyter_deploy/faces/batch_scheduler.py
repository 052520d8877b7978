"""The program of an endpoint's schedule: ``python -m jupyter_deploy.faces.batch_scheduler NAME`` begins its batches.

The supervisor runs it, so it outlives notebook and shell, and is started again after a kill: the schedule is in the
endpoint's revision, and the runs are in a file of the home.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from jupyter_deploy.domain.errors import DeployError, disk_faults
from jupyter_deploy.system.batch_log import BatchLogFile
from jupyter_deploy.verbs.scoring.schedule import MOST_SECONDS, Scheduler
from jupyter_deploy.wiring import Wiring

_LOCAL_TIME = Path("/etc/localtime")


def main() -> None:
    """Look at the schedule until a signal ends the program."""
    parser = argparse.ArgumentParser(description="Begin the batches of an endpoint by its schedule.")
    parser.add_argument("endpoint")
    parser.add_argument("--ready", type=Path, help="file to create once the program runs")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a run commits its finished partitions, as after Ctrl-C
    ports, zone = Wiring().ports, local_zone()
    file = BatchLogFile(ports.home, options.endpoint)
    scheduler = Scheduler(options.endpoint, ports, file, lambda: datetime.now(zone), _say)
    if options.ready:
        options.ready.touch(mode=0o600)
    try:
        pause: float | None = 0.0
        while pause is not None:
            time.sleep(pause)
            try:
                with disk_faults():
                    pause = scheduler.look()
            except DeployError as error:  # a full disk, a locked store: the next look tries again
                _say(str(error))
                pause = MOST_SECONDS
    except KeyboardInterrupt:
        pass


def local_zone() -> tzinfo:
    """Return this machine's time zone: that of ``TZ``, else of ``/etc/localtime``, else UTC."""
    name = os.environ.get("TZ", "").removeprefix(":")
    try:
        if name and not name.startswith("/"):
            return ZoneInfo(name)
        with Path(name or _LOCAL_TIME).open("rb") as opened:
            return ZoneInfo.from_file(opened)
    except (OSError, ValueError, KeyError):  # the last one is ZoneInfoNotFoundError
        return UTC


def _say(line: str) -> None:
    sys.stdout.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

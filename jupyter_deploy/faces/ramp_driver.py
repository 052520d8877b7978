"""The program that drives the ramp of one endpoint: ``python -m jupyter_deploy.faces.ramp_driver NAME``.

The supervisor, or a Job of a cluster, runs it, so it outlives notebook and shell, and is started again after a kill:
all state is in the endpoint's revision. It exits when the ramp has ended.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from jupyter_deploy.domain.errors import DeployError, disk_faults
from jupyter_deploy.verbs.ramp_look import look, settle_endpoint
from jupyter_deploy.wiring import Wiring


def main() -> None:
    """Look at the ramp until it has ended."""
    parser = argparse.ArgumentParser(description="Drive the ramp of an endpoint.")
    parser.add_argument("endpoint")
    parser.add_argument("--ready", type=Path, help="file to create once the program runs")
    parser.add_argument("--ended", type=int, default=0, help="exit code after the end of the ramp")
    options = parser.parse_args()
    wiring = Wiring()
    if options.ready:
        options.ready.touch(mode=0o600)
    settled, goes_on = False, True
    while goes_on:
        try:
            with disk_faults():
                if not settled:
                    settle_endpoint(options.endpoint, wiring.ports)
                    settled = True
                goes_on = look(options.endpoint, wiring.ports, _say)
        except DeployError as error:  # an unreadable record, a full disk: the next look tries again
            _say(str(error))
        if goes_on:
            time.sleep(wiring.settings.ramp_every)
    _say("the ramp has ended")
    sys.exit(options.ended)


def _say(line: str) -> None:
    sys.stdout.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

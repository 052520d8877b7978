"""The program that finds drift for a cluster's metrics: ``python -m jupyter_deploy.faces.drift_watcher``.

It runs in the pod of the exporter, which publishes what this writes. It reads revisions from the cluster and records
from the bucket, and keeps no state that it could not make again.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

from jupyter_deploy.domain.errors import DeployError, disk_faults
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.drift_detection.bucket_watches import BucketWatches
from jupyter_deploy.drift_detection.drift_log import first_state
from jupyter_deploy.records.bucket import Bucket
from jupyter_deploy.wiring import Wiring

_SECONDS = 30.0
"""Between two passes: pods upload their records within as long."""


def main() -> None:
    """Read new records until a signal ends the process."""
    wiring = Wiring()
    bucket = wiring.settings.records_to
    if bucket is None:
        sys.exit("no bucket is named: NBDEPLOY_RECORDS_TO")
    while True:
        try:
            with disk_faults():
                look(wiring.ports, BucketWatches(wiring.ports.home, Bucket(bucket)))
        except DeployError as error:  # the bucket is away, or the disk is full: the next pass tries again
            _say(str(error))
        time.sleep(_SECONDS)


def look(ports: Ports, watches: BucketWatches) -> None:
    """Read the new records of every release with traffic; print the failures.

    Models of images are left out: their features need a library that the program's image lacks.
    """
    for endpoint in ports.store.endpoints():
        for tag in endpoint.traffic.tags() if endpoint.running else ():
            signature = ports.store.signature(tag)
            if signature is None:
                _say(f"the signature of {tag} is not known here: deploy it again")
                continue
            first = first_state(signature, ports.store.sketch(tag))
            if not first.images:
                try:
                    watches.read(endpoint.name, endpoint.release(tag).version, first)
                except DeployError as error:
                    _say(str(error))


def _say(line: str) -> None:
    sys.stdout.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

"""The attempts at the gates of a run: which number each has, and which passed.

A snapshot's gate that is run again until it passes has a higher level at each attempt
(``domain.validation.attempts``). Without a snapshot, nothing is deployed by the result, and no attempt is counted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.gates.gate import Gate
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.validation.attempts import evidence_digest, gate_key
from jupyter_deploy.domain.validation.validation import GateResult, Metric
from jupyter_deploy.verbs.run_plan import Planned, compares


class GateAttempts:
    """The attempts at a run's gates, from the beginning of the judgement on.

    A store that cannot be written counts nothing; the validation says that it is not stored.

    Parameters
    ----------
    snapshot, stable
        The candidate and the stable release; None: there is none.
    metrics, stable_metrics
        What the run measured with each.
    """

    def __init__(
        self,
        planned: Planned,
        ports: Ports,
        *,
        snapshot: Snapshot | None,
        stable: Snapshot | None,
        metrics: Sequence[Metric],
        stable_metrics: Sequence[Metric] | None,
    ) -> None:
        self._ports = ports
        self._keys: dict[object, str] = {}
        self._evidence: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        if snapshot is None:
            return
        for gate, _ in planned.gates:
            digest = evidence_digest(gate, metrics, stable_metrics)
            if digest is None:
                continue
            key = gate_key(
                gate,
                snapshot=snapshot.digest,
                stable=stable.digest if stable is not None and compares(gate) else None,
                notebook=planned.origin,
                parameters=planned.plain_parameters,
                traffic=planned.traffic,
            )
            self._keys[gate.meaning], self._evidence[key] = key, digest
        if self._evidence:
            with contextlib.suppress(StoreError):
                self._numbers = ports.store.begin_attempts(self._evidence)

    def number(self, gate: Gate) -> int:
        """Return the number of the attempt at a gate."""
        return self._numbers.get(self._keys.get(gate.meaning, ""), 1)

    def settle(self, results: Sequence[tuple[Gate, GateResult]]) -> None:
        """Note the gates that passed."""
        keys = [self._keys.get(gate.meaning) for gate, result in results if result.verdict == "pass"]
        passed = {key: self._evidence[key] for key in keys if key in self._numbers}
        if passed:
            with contextlib.suppress(StoreError):
                self._ports.store.pass_attempts(passed)

"""The routes in force in a pod's Envoy: parts of endpoints, all at once or, if Envoy refuses, one after the other."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import asdict

from . import documents
from .documents import Addresses, Part, Secrets
from .envoy import ENVOY, KINDS, Documents, Json, call, replace_file, say
from .pod import KEY_VARIABLE, Pod

_START_SECONDS = 60.0
_VALIDATE_SECONDS = 30.0
_MOST_REASON = 500


class EnvoyAway(Exception):
    """Envoy does not run, so that nothing can come into force; its files have what was in force."""


class Routes:
    """The routes in force, and the reasons why others are not.

    Attributes
    ----------
    parts
        The parts in force, by endpoint.
    frame
        The documents without endpoints (``frame`` of ``targets/envoy/documents.py``), and ``statistics``.
    begun
        Whether any are in force, if only those of no endpoint.
    """

    def __init__(self, pod: Pod) -> None:
        self._pod = pod
        self.frame: Json = json.loads((pod.configuration / "frame.json").read_text("utf-8"))
        self._bootstrap: Json = json.loads(pod.bootstrap.read_text("utf-8"))
        self._files = Documents(pod.admin, pod.documents)
        self._documents: Json | None = None
        self._assignments: dict[str, str] = {}
        self._refusals: dict[str, tuple[Part, str]] = {}
        self.secrets = Secrets("", "", "")
        self.parts: dict[str, Part] = {}
        self._restore()

    @property
    def begun(self) -> bool:
        return self._documents is not None

    def _restore(self) -> None:
        """Continue from the state of an agent that ended before, for an Envoy that has run since."""
        try:
            kept = json.loads((self._pod.run / "parts.json").read_text("utf-8"))
            texts = {kind: (self._pod.documents / kind / f"{kind}.json").read_text("utf-8") for kind in KINDS}
        except (OSError, ValueError):
            return  # this is the first
        found = [Part.of(**one) for one in kept]
        self.parts = {part.endpoint: part for part in found}
        self._documents = {kind: json.loads(text) for kind, text in texts.items()}

    def put(self, wanted: Mapping[str, Part], secrets: Secrets) -> dict[str, str]:
        """Put the parts into force; returns the reasons of those that Envoy refuses, which keep the former ones.

        Raises
        ------
        EnvoyAway
            Envoy does not run.
        """
        if secrets != self.secrets:
            self._refusals.clear()
        self._refusals = {name: one for name, one in self._refusals.items() if wanted.get(name) == one[0]}
        target = {name: part for name, part in wanted.items() if name not in self._refusals}
        target |= {name: self.parts[name] for name in self._refusals if name in self.parts}
        if not self.begun or target != self.parts or secrets != self.secrets:
            self._put(target, secrets)
        return {name: reason for name, (_, reason) in self._refusals.items()}

    def _put(self, target: dict[str, Part], secrets: Secrets) -> None:
        if not self._replace(target, secrets):
            return
        kept = {name: part for name, part in self.parts.items() if name in target}
        self._replace(kept, secrets)
        for name in sorted(target):
            if target[name] == self.parts.get(name):
                continue
            attempt = {**self.parts, name: target[name]}
            if kind := self._replace(attempt, secrets):
                reason = secrets.masked(self._reason(attempt, secrets))
                self._refusals[name] = (target[name], f"Envoy refuses its {kind} document: {reason}")
                say(f"{name}: {self._refusals[name][1]}")

    def _replace(self, parts: dict[str, Part], secrets: Secrets) -> str:
        """Put exactly these parts into force; the kind of the document that Envoy refuses, else an empty text."""
        after = documents.joined(self.frame, parts.values(), secrets.token)
        if self._documents is None:
            self._files.write(after)
            refused = "" if self._files.in_force(after, _START_SECONDS) else "first"
        else:
            refused = self._files.replace(self._documents, after)
        if refused:
            if call(self._pod.admin, "GET", "/ready")[0] == 0:
                raise EnvoyAway("Envoy does not run")
            return refused
        self._documents, self.parts, self.secrets = after, dict(parts), secrets
        replace_file(self._pod.run / "parts.json", json.dumps([asdict(part) for part in parts.values()]))
        return ""

    def write_addresses(self, wanted: Mapping[str, Part], known: Addresses) -> None:
        """Write the addresses of all releases that are, or will be, behind routes."""
        for part in (*wanted.values(), *self.parts.values()):
            for service in part.services():
                text = json.dumps(documents.assignment(service, known))
                if self._assignments.get(service) != text:
                    replace_file(self._pod.documents / "eds" / f"{service}.json", text)
                    self._assignments[service] = text

    def _reason(self, parts: dict[str, Part], secrets: Secrets) -> str:
        """Envoy's own reason against these parts: another Envoy checks them in one static document."""
        found = documents.joined(self.frame, parts.values(), secrets.token)
        path = self._pod.run / "refused.json"
        replace_file(path, json.dumps(documents.static(self._bootstrap, found)))
        try:
            done = subprocess.run(
                [str(ENVOY), "--mode", "validate", "-c", str(path), "--log-level", "error"],
                env={**os.environ, KEY_VARIABLE: "-"},
                capture_output=True,
                text=True,
                timeout=_VALIDATE_SECONDS,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return f"{type(error).__name__}"
        finally:
            path.unlink(missing_ok=True)
        text = " ".join(done.stderr.split())
        # "…error initializing configuration 'PATH': REASON", whose reason may quote the whole document.
        reason = text.rpartition(f"{path}': ")[2] or text
        return reason.partition("): {")[0][:_MOST_REASON]

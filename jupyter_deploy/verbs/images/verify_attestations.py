"""Evidence about the bill of materials of an image and about its gates, from the attestations of its signer."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.images.attestations import BILL_TYPE, TEST_RESULT_TYPE
from jupyter_deploy.domain.images.images import SBOM_TYPE, Reference
from jupyter_deploy.domain.images.published import Evidence
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.validation.validation import Verdict


def of_attestations(exact: Reference, key: Path | None, ports: Ports) -> list[Evidence]:
    """Judge the bill of materials, and with a key the attested gates, of the image at a digest.

    Raises ToolMissing, RegistryError, InvalidInput (the key is another kind of file).
    """
    document = ports.images.registry.attached(exact, SBOM_TYPE)
    if key is None:
        return [_bill_by_publication(document, exact, ports)]
    registry = ports.images.registry
    bill = _bill_by_key(document, registry.attestation(exact, BILL_TYPE, key), key)
    return [bill, _gates(registry.attestation(exact, TEST_RESULT_TYPE, key), key)]


def _bill_by_publication(document: bytes | None, exact: Reference, ports: Ports) -> Evidence:
    """Compare the attached document with the one that this store published."""
    if document is None:
        return _bill("inconclusive", "none is attached")
    known = (one for one in ports.store.publications() if Reference.parse(one.reference).digest == exact.digest)
    published = next((one.bill_of_materials for one in known if one.bill_of_materials), "")
    if not published:
        return _bill("inconclusive", "it was not verified: --key names no key")
    if hashlib.sha256(document).hexdigest() != published:
        return _bill("fail", "the attached document is another one than this store published")
    return _bill("pass", "the attached document is the one that this store published")


def _bill_by_key(document: bytes | None, attested: Any, key: Path) -> Evidence:
    """Compare the attached document with the attested one; a reader may take either."""
    if attested is None:
        if document is None:
            return _bill("inconclusive", "none is attached")
        return _bill("fail", f"the owner of {key.name} did NOT attest the attached document")
    if document is not None and _parsed(document) != attested:
        return _bill("fail", f"the attached document is another one than the owner of {key.name} attested")
    return _bill("pass", f"attested by the owner of {key.name}")


def _bill(verdict: Verdict, sentence: str) -> Evidence:
    return Evidence(subject="bill of materials", verdict=verdict, sentence=sentence)


def _parsed(document: bytes) -> Any:
    with contextlib.suppress(ValueError):
        return json.loads(document)
    return None


def _gates(results: Any, key: Path) -> Evidence:
    """Judge the attested test results."""
    if results is None:
        sentence = f"the owner of {key.name} attested no validation"
        return Evidence(subject="gates", verdict="inconclusive", sentence=sentence)
    attested = f"the owner of {key.name} attested that these"
    if results.get("result") == "PASSED":
        held = ", ".join(results.get("passedTests", ())) or "all"
        return Evidence(subject="gates", verdict="pass", sentence=f"{attested} held: {held}")
    if results.get("result") == "WARNED":
        open_ones = ", ".join(results.get("warnedTests", ()))
        return Evidence(subject="gates", verdict="inconclusive", sentence=f"{attested} were undecided: {open_ones}")
    failed = ", ".join(results.get("failedTests", ()))
    return Evidence(subject="gates", verdict="fail", sentence=f"{attested} did not hold: {failed}")

"""Bills of materials and gates that a key's owner attested: a stranger's are found out. Real registry and cosign."""

import json
import subprocess
from hashlib import sha256

import pytest

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.errors import InvalidInput, RegistryError
from jupyter_deploy.domain.images.attestations import BILL_TYPE, TEST_RESULT_TYPE, results_of
from jupyter_deploy.domain.images.images import SBOM_TYPE
from jupyter_deploy.domain.images.requests import VerifyRequest
from jupyter_deploy.domain.validation.validation import Check, GateResult, Run, Validation
from jupyter_deploy.verbs.images.verify import verify
from tests.contract.trusted_images import published

OURS, STRANGERS = b'{"bomFormat": "CycloneDX", "specVersion": "1.6"}', b'{"bomFormat": "CycloneDX", "version": 7}'


def gate(expression, verdict="pass"):
    return GateResult(expression=expression, verdict=verdict, sentence=f"{expression}: {verdict}")


def validated(*gates, **more):
    run = Run(notebook="/home/ada/checks.ipynb", status="done", gates=gates, **more)
    verdict = "fail" if any(one.verdict == "fail" for one in gates) else "pass"
    return Validation(id="v1", at=now(), snapshot="tumour:a", runs=(run,), verdict=verdict)


@pytest.fixture
def signed(image_world, signing_key):
    """An image that its publisher signed, with an attested bill of materials and attested gates."""
    reference = image_world.images.push(b"content", "one")
    exact, registry, private = (
        reference.at(digest=reference.digest),
        image_world.images.registry,
        signing_key / "cosign.key",
    )
    registry.sign(exact, private)
    registry.attach(exact, SBOM_TYPE, OURS)
    registry.attest(exact, BILL_TYPE, OURS, private)
    results = results_of(validated(gate("accuracy >= 0.9")), "")
    registry.attest(exact, TEST_RESULT_TYPE, json.dumps(results).encode(), private)
    return exact


def evidence(image_world, reference, public=None):
    request = VerifyRequest(image=str(reference), key=None if public is None else str(public))
    return {one.subject: one for one in verify(request, image_world.ports, image_world.told.append).evidence}


def test_attested_bill_and_gates_pass_by_the_key(image_world, signing_key, signed):
    found = evidence(image_world, signed, signing_key / "cosign.pub")
    assert [found[one].verdict for one in ("signature", "bill of materials", "gates")] == ["pass"] * 3
    assert "accuracy >= 0.9" in found["gates"].sentence


def test_a_replaced_bill_of_materials_is_condemned_by_the_key_and_by_the_publisher(image_world, signing_key, signed):
    published(image_world, signed, bill_of_materials=sha256(OURS).hexdigest())
    assert evidence(image_world, signed)["bill of materials"].verdict == "pass"
    image_world.images.registry.attach(signed, SBOM_TYPE, STRANGERS)
    for public in (signing_key / "cosign.pub", None):
        found = evidence(image_world, signed, public)["bill of materials"]
        assert (found.verdict, "another one than" in found.sentence) == ("fail", True)


def test_a_bill_that_the_key_did_not_attest_is_condemned(image_world, signing_key):
    reference = image_world.images.push(b"content", "one")
    exact = reference.at(digest=reference.digest)
    image_world.images.registry.sign(exact, signing_key / "cosign.key")
    found = evidence(image_world, exact, signing_key / "cosign.pub")
    assert [found[one].verdict for one in ("bill of materials", "gates")] == ["inconclusive"] * 2
    image_world.images.registry.attach(exact, SBOM_TYPE, STRANGERS)
    assert evidence(image_world, exact, signing_key / "cosign.pub")["bill of materials"].verdict == "fail"
    assert evidence(image_world, exact)["bill of materials"].verdict == "inconclusive"


def test_a_strangers_attestation_does_not_count(image_world, signing_key, tmp_path):
    reference = image_world.images.push(b"content", "one")
    exact, registry = reference.at(digest=reference.digest), image_world.images.registry
    subprocess.run(["cosign", "generate-key-pair"], cwd=tmp_path, capture_output=True, check=True)
    registry.attach(exact, SBOM_TYPE, STRANGERS)
    registry.attest(exact, BILL_TYPE, STRANGERS, tmp_path / "cosign.key")
    assert registry.attestation(exact, BILL_TYPE, tmp_path / "cosign.pub") == json.loads(STRANGERS)
    assert registry.attestation(exact, BILL_TYPE, signing_key / "cosign.pub") is None
    assert evidence(image_world, exact, signing_key / "cosign.pub")["bill of materials"].verdict == "fail"


def test_gates_that_did_not_hold_are_condemned_and_the_last_attestation_counts(image_world, signing_key, signed):
    results = results_of(validated(gate("accuracy >= 0.9", "fail"), gate("rows >= 5")), "a customer waits")
    image_world.images.registry.attest(
        signed, TEST_RESULT_TYPE, json.dumps(results).encode(), signing_key / "cosign.key"
    )
    found = evidence(image_world, signed, signing_key / "cosign.pub")["gates"]
    assert (found.verdict, found.sentence) == (
        "fail", "the owner of cosign.pub attested that these did not hold: accuracy >= 0.9"
    )  # fmt: skip


def test_a_platform_demands_gates_by_cosign_alone(signing_key, signed, tmp_path):
    policy = tmp_path / "policy.cue"

    def admitted(demand):
        policy.write_text(f'import "list"\npredicate: {{result: "PASSED", passedTests: {demand}}}\n')
        command = ["cosign", "verify-attestation", "--key", signing_key / "cosign.pub", "--insecure-ignore-tlog"]
        command += ["--type", TEST_RESULT_TYPE, "--policy", policy, str(signed)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    assert admitted('list.Contains("accuracy >= 0.9")')
    assert not admitted('list.Contains("accuracy >= 0.99")')


def test_a_faulty_key_or_registry_is_an_error_and_not_a_missing_attestation(image_world, signing_key, signed):
    registry = image_world.images.registry
    with pytest.raises(InvalidInput, match="no key that serves here"):
        registry.attestation(signed, BILL_TYPE, signing_key / "cosign.key")
    with pytest.raises(RegistryError, match="does not answer"):
        registry.attestation(
            signed.model_copy(update={"registry": "localhost:1"}), BILL_TYPE, signing_key / "cosign.pub"
        )


def test_results_have_in_totos_form():
    check = Check(name="no leak", passed=False)
    found = results_of(validated(gate("a >= 1"), gate("b >= 1", "inconclusive"), checks=(check,)), "")
    assert found["passedTests"] == ["a >= 1"]
    assert found["warnedTests"] == ["b >= 1"]
    assert found["failedTests"] == ["check 'no leak'"]
    assert [one["name"] for one in found["configuration"]] == ["checks.ipynb"]
    assert "/home/ada" not in json.dumps(found)
    assert results_of(validated(gate("a >= 1")), "")["result"] == "PASSED"
    died = Run(notebook="/home/ada/checks.ipynb", status="died")
    broken = validated().model_copy(update={"runs": (died,), "verdict": "fail"})
    assert (results_of(broken, "why")["result"], results_of(broken, "why")["failedTests"]) == (
        "FAILED",
        ["checks.ipynb"],
    )

"""Secrets and staged models for the tests of checks."""

from tests.contract.capturing import live

LABELS = ["no", "yes", "no", "yes"]

GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
AWS = "AKIA" + "IOSFODNN7QWERTYU"
HUGGING = "hf_" + "qWErtYuiOPasDFghjk1234567890zxCVbn"
ALL = (GITHUB, AWS, HUGGING, "s3cr3t-pass")


def staged(capturer, model, example, **options):
    made = capturer.stage(live(model, example, **options), "churn")
    capturer.discard(made)
    return made.manifest


def found(manifest, check):
    return [finding for finding in manifest.findings if finding.check == check]


# Features

"""The words of a change of an endpoint, for the history and for messages. Pure."""

from __future__ import annotations

from collections.abc import Callable

from jupyter_deploy.domain import secret_references
from jupyter_deploy.domain.capture.findings import has_new_findings
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.domain.release.traffic import Traffic
from jupyter_deploy.domain.validation.validation import words_of


def roles_in_words(traffic: Traffic | None) -> dict[str, str]:
    """Tag -> ``stable 80 %``, ``canary 20 %``, ``shadow 100 %``."""
    if traffic is None:
        return {}
    return {tag: f"{traffic.role_of(tag)} {traffic.percent_of(tag):g} %" for tag in traffic.tags()}


def difference_in_words(before: Endpoint | None, after: Endpoint) -> str:
    """Describe a change for the history, release by release."""
    old, new = roles_in_words(before.traffic if before else None), roles_in_words(after.traffic)
    parts = [
        f"{tag}: {old.get(tag, 'no traffic')} → {new.get(tag, 'no traffic')}"
        for tag in dict.fromkeys([*new, *old])
        if old.get(tag) != new.get(tag)
    ]
    recorded = before.recorded if before else "full"
    if recorded != after.recorded:
        parts.append(f"records: {recorded} → {after.recorded}")
    comparison = before.comparison.words if before else "default"
    if comparison != after.comparison.words:
        parts.append(f"comparison: {comparison} → {after.comparison.words}")
    for way in ("stream", "batch"):
        now, then = (spec.words if (spec := getattr(one, way, None)) else "none" for one in (before, after))
        parts += [f"{way}: {now}, now {then}"] if now != then else []
    parts += _changed(before, after, "redact", (), lambda one: f"{', '.join(one.redact) or 'nothing'} redacted")
    parts += _changed(before, after, "secrets", {}, lambda one: f"secrets {secret_references.in_words(one.secrets)}")
    parts += _changed(before, after, "resources", Resources(), lambda one: one.resources.words or "any resources")
    parts += _changed(before, after, "image", None, lambda one: f"runs from {one.image or 'its bento'}")
    parts += _findings_in_words(before, after)
    validations = [validations_in_words(endpoint) for endpoint in (before, after)]
    if validations[0] != validations[1]:
        parts.append(f"validations: {validations[0]} → {validations[1]}")
    if before and not before.running:
        parts.append("running again")
    return "; ".join(parts) or "no change of traffic"


def _changed(
    before: Endpoint | None, after: Endpoint, field: str, default: object, words: Callable[[Release], str]
) -> list[str]:
    """Describe a field of the releases that changed; a new release's if it differs from the default."""
    known = {release.tag: getattr(release, field) for release in before.releases} if before else {}
    return [
        f"{release.tag}: {words(release)}"
        for release in after.releases
        if getattr(release, field) != known.get(release.tag, default)
    ]


def validations_in_words(endpoint: Endpoint | None) -> str:
    """Describe the validations of an endpoint in short; None: no endpoint, so no validations."""
    return words_of(endpoint.validations if endpoint else ())


def _findings_in_words(before: Endpoint | None, after: Endpoint) -> list[str]:
    """Describe the newly waived findings, and the new findings of existing releases."""
    known = {release.tag: release.findings for release in before.releases} if before else {}
    parts = []
    for release in after.releases:
        news = [f for f in release.findings if has_new_findings([f], known.get(release.tag, ()))]
        waivers = dict.fromkeys(f.check for f in news if f.waived is not None)
        added = dict.fromkeys(f.check for f in news if f.waived is None and release.tag in known)
        parts += [f"{release.tag}: {check} waived" for check in waivers]
        parts += [f"{release.tag}: {check} found" for check in added]
    return parts

"""The words of a change of an endpoint, for the history and for messages. Pure."""

from __future__ import annotations

from jupyter_deploy.domain import secret_references
from jupyter_deploy.domain.capture.findings import has_new_findings
from jupyter_deploy.domain.release.endpoint import Endpoint
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
    streams = [endpoint.stream.words if endpoint and endpoint.stream else "none" for endpoint in (before, after)]
    if streams[0] != streams[1]:
        parts.append(f"stream: {streams[0]}, now {streams[1]}")
    parts += _redacted_in_words(before, after)
    parts += _secrets_in_words(before, after)
    parts += _resources_in_words(before, after)
    parts += _images_in_words(before, after)
    parts += _findings_in_words(before, after)
    validations = [validations_in_words(endpoint) for endpoint in (before, after)]
    if validations[0] != validations[1]:
        parts.append(f"validations: {validations[0]} → {validations[1]}")
    if before and not before.running:
        parts.append("running again")
    return "; ".join(parts) or "no change of traffic"


def _redacted_in_words(before: Endpoint | None, after: Endpoint) -> list[str]:
    known = {release.tag: release.redact for release in before.releases} if before else {}
    return [
        f"{release.tag}: {', '.join(release.redact) or 'nothing'} redacted"
        for release in after.releases
        if release.redact != known.get(release.tag, ())
    ]


def _secrets_in_words(before: Endpoint | None, after: Endpoint) -> list[str]:
    known = {release.tag: release.secrets for release in before.releases} if before else {}
    return [
        f"{release.tag}: secrets {secret_references.in_words(release.secrets)}"
        for release in after.releases
        if release.secrets != known.get(release.tag, {})
    ]


def validations_in_words(endpoint: Endpoint | None) -> str:
    """Describe the validations of an endpoint in short; None: no endpoint, so no validations."""
    return words_of(endpoint.validations if endpoint else ())


def _resources_in_words(before: Endpoint | None, after: Endpoint) -> list[str]:
    """Describe the changed resources of releases, and those of new releases with a limit."""
    known = {release.tag: release.resources for release in before.releases} if before else {}
    return [
        f"{release.tag}: {release.resources.words or 'any resources'}"
        for release in after.releases
        if release.resources != known.get(release.tag, Resources())
    ]


def _images_in_words(before: Endpoint | None, after: Endpoint) -> list[str]:
    """Describe the releases that run from another image or bento than before."""
    known = {release.tag: release.image for release in before.releases} if before else {}
    return [
        f"{release.tag}: runs from {release.image or 'its bento'}"
        for release in after.releases
        if release.image != known.get(release.tag)
    ]


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

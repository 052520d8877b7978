"""The pages of container images: a publication, a verification, the list, and a garbage collection."""

from __future__ import annotations

from collections.abc import Iterable

from jupyter_deploy.domain.base import size_in_words
from jupyter_deploy.domain.images.images import Image
from jupyter_deploy.domain.images.published import Collected, ImageList, Published, UsedImage, Verified

from .page import Page, Table, VerdictLine

_VERDICTS = {
    "pass": "no evidence against it",
    "fail": "it is NOT what it should be",
    "inconclusive": "nobody here vouches for it",
}


def published_page(result: Published) -> Page:
    """Make the page of a publication: layers, digest and start command."""
    publication, image = result.publication, result.publication.image
    done = "would be" if result.dry_run else "is" if result.changed else "was already"
    signed = f"by the key {publication.signed_by[:12]}…" if publication.signed_by else "no"
    attached = f"CycloneDX, {size_in_words(result.bill_of_materials)}, {'not ' * result.dry_run}attached"
    facts = [
        ("reference", publication.reference),
        ("digest", image.digest),
        ("to be sent" if result.dry_run else "sent", _sent(result)),
        ("base", f"{image.base} ({image.platform}, Python {image.python})"),
        ("bill of materials", attached),
        ("signed", signed),
    ]
    facts += [("Containerfile", result.containerfile)] if result.containerfile else []
    facts += [("forced", publication.forced)] if publication.forced else []
    facts += [("chosen", publication.choice)] if publication.choice else []
    facts += [] if result.dry_run else [("remembered", "'nbdeploy images' lists it")]
    rows = [
        (
            layer.kind,
            layer.title,
            size_in_words(layer.size),
            "there already" if layer.digest in result.there else "to be sent" if result.dry_run else "sent",
            layer.digest,
        )
        for layer in image.layers
    ]
    return Page(
        f"{result.release} {done} published",
        facts=facts,
        tables=[Table("", ("layer", "what", "size", "", "digest"), rows)],
        code=result.command,
    )


def _sent(result: Published) -> str:
    count = len(result.publication.image.layers)
    return f"{len(result.sent)} of {count} layers, {size_in_words(result.sent_bytes)}"


def verified_page(result: Verified) -> Page:
    """Make the page of a verification: one line for each piece of evidence, and the image's labels."""
    return Page(
        f"{result.reference}: {_VERDICTS[result.verdict]}",
        lines=[VerdictLine(one.verdict, f"{one.subject}: {one.sentence}") for one in result.evidence],
        facts=sorted(result.labels.items()),
    )


def image_list_page(result: ImageList) -> Page:
    """Make the page of all images with their users."""
    count = len(result.images)
    headline = f"{count} image{'s' * (count != 1)}"
    facts = [("image store", f"{result.folder}, {size_in_words(result.size)}"), *_unasked(result.unasked)]
    return Page(headline, facts=facts, tables=[_table(result.images)] if count else [])


def collected_page(result: Collected) -> Page:
    """Make the page of removed and kept images."""
    did = "would go; without --dry-run they do" if result.dry_run else "went"
    count = len(result.removed)
    facts = [
        ("image store", result.folder),
        ("freed" if not result.dry_run else "would be freed", size_in_words(result.freed)),
        *_unasked(result.unasked, "all images were kept: "),
    ]
    tables = [Table("", ("image", "snapshot", "size"), [_row(image) for image in result.removed])] if count else []
    if result.snapshots:
        rows = [(one.tag, size_in_words(one.size)) for one in result.snapshots]
        tables.append(Table("snapshots of deleted endpoints", ("snapshot", "size"), rows))
    tables += [_table(result.kept, "kept")] if result.kept else []
    what = f"{count} image{'s' * (count != 1)}"
    if result.snapshots:
        what += f" and {len(result.snapshots)} snapshot{'s' * (len(result.snapshots) != 1)}"
    return Page(f"{what} {did}", facts=facts, tables=tables)


def _unasked(engines: Iterable[str], consequence: str = "") -> list[tuple[str, str]]:
    return [("not asked", f"{consequence}{words}") for words in engines]


def _table(images: Iterable[UsedImage], title: str = "") -> Table:
    rows = [
        (
            *_row(one.image),
            "here" if one.here else "in the registry",
            _lines(one.used_by),
            _lines(reference.partition("@")[0] for reference in one.published),
        )
        for one in images
    ]
    return Table(title, ("image", "snapshot", "size", "where", "used by", "published"), rows)


def _row(image: Image) -> tuple[str, str, str]:
    return image.digest.removeprefix("sha256:")[:12], image.snapshot, size_in_words(image.size)


def _lines(words: Iterable[str]) -> str:
    return "\n".join(words) or "–"

"""The files of an export: graph, manifest, conformance data set, clients and the program that checks them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import Any

from jupyter_deploy.domain.capture.artifacts import CONFORMANCE, Manifest, Snapshot
from jupyter_deploy.domain.errors import InvalidInput, Refused, disk_faults
from jupyter_deploy.domain.export import MANIFEST, SIGNATURE, ExportedClient, ModelExport
from jupyter_deploy.system.digests import file_sha256

_STATIC = Path(__file__).parent / "clients"

GRAPH = "model.onnx"
INPUTS, ANSWERS = "conformance/inputs.tsv", "conformance/answers.tsv"
README, CHECK = "README.md", "check.py"

CLIENTS = (
    ExportedClient(language="C++", file="clients/client.cpp", tested=True),
    ExportedClient(language="Java", file="clients/Client.java", tested=False),
    ExportedClient(language="JavaScript", file="clients/client.mjs", tested=True),
    ExportedClient(language="Python", file="clients/client.py", tested=True),
    ExportedClient(language="R", file="clients/client.R", tested=True),
    ExportedClient(language="Rust", file="clients/client.rs", tested=False),
)
"""``tested``: tests/contract/export runs it."""

_BESIDE_CLIENTS = ("clients/Cargo.toml",)

_NAMED = 5  # foreign files named in an error


class OnnxExporter:
    """The Exporter port."""

    def require(self, folder: Path, *, overwrite: bool) -> None:
        """Raise InvalidInput if this is no folder, Refused if it has files and ``overwrite`` is False."""
        if not folder.is_dir():
            if folder.exists() or folder.is_symlink():
                raise InvalidInput(f"{folder} is no folder", "name another one: --to")
            return
        others = sorted(path.name for path in folder.iterdir())
        if others and not overwrite:
            more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
            raise Refused(
                f"{folder} has files already: {', '.join(others[:_NAMED])}{more}",
                "name another folder: --to; or overwrite the export in it: --overwrite",
            )

    def write(self, snapshot: Snapshot, folder: Path, about: dict[str, Any]) -> ModelExport:
        """Write all files but the signature; that of an overwritten export is removed."""
        source = Path(snapshot.path)
        if CONFORMANCE not in snapshot.manifest.files:
            raise Refused(
                f"{snapshot.tag} has no conformance data set: another version of nbdeploy captured it",
                "deploy it again from its notebook with --engine onnx",
            )
        data = json.loads((source / CONFORMANCE).read_bytes())
        columns = [column for one in data["inputs"] for column in one["columns"]]
        with _unwritable(folder), disk_faults():
            for below in ("clients", "conformance"):
                (folder / below).mkdir(parents=True, exist_ok=True)
            (folder / SIGNATURE).unlink(missing_ok=True)
            shutil.copyfile(source / GRAPH, folder / GRAPH)
            _write_table(folder / INPUTS, columns, data["rows"])
            _write_table(folder / ANSWERS, _answer_columns(data["answers"]), data["answers"])
            for name in (CHECK, *(one.file for one in CLIENTS), *_BESIDE_CLIENTS):
                shutil.copyfile(_STATIC / Path(name).name, folder / name)
            document = _manifest(snapshot.manifest, data, about)
            (folder / README).write_text(_readme(document), "utf-8")
            written = (
                GRAPH, README, CHECK, INPUTS, ANSWERS, *(one.file for one in CLIENTS), *_BESIDE_CLIENTS
            )  # fmt: skip
            document["files"] = {name: file_sha256(folder / name) for name in written}
            (folder / MANIFEST).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
        translation = snapshot.manifest.translation
        return ModelExport(
            endpoint=about["endpoint"],
            release=snapshot.tag,
            folder=str(folder),
            files=(MANIFEST, *written),
            clients=CLIENTS,
            rows=data["origins"],
            proof=translation.words if translation else "",
        )


@contextmanager
def _unwritable(folder: Path) -> Iterator[None]:
    try:
        yield
    except (PermissionError, NotADirectoryError, FileExistsError, IsADirectoryError) as error:
        raise InvalidInput(
            f"{error.filename or folder} cannot be written: {error.strerror}", "name another folder: --to"
        ) from error


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write a table with tabs between the values; each number with the digits that give it back in 64 bits."""
    lines = [[" ".join(column.split()) for column in columns], *([_text(value) for value in row] for row in rows)]
    path.write_bytes("".join("\t".join(line) + "\n" for line in lines).encode())


def _text(value: Any) -> str:
    """Return a number as JSON writes it (``NaN``, ``Infinity``), and a text as it is."""
    return value if isinstance(value, str) else json.dumps(value)


def _answer_columns(answers: Sequence[Sequence[Any]]) -> list[str]:
    width = len(answers[0]) if answers else 0
    return ["answer"] if width == 1 else [f"answer_{place}" for place in range(width)]


def _manifest(manifest: Manifest, data: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest without the digests of the files."""
    form, tolerance = data["form"], manifest.tolerance
    accepted = manifest.translation.accepted_difference if manifest.translation else 0.0
    single = form["dtype"] in ("<f4", "<f2")
    source, git = manifest.provenance.path, manifest.provenance.git
    return {
        "format": 1,
        **about,
        "kind": manifest.kind,
        "notebook": source,
        "commit": git.commit if git else None,
        "method": form["method"],
        "graph": GRAPH,
        "inputs": data["inputs"],
        "output": form["output"],
        "missing_text": form.get("missing_text"),
        "words": form.get("words", {}),
        "raises": {
            "texts other than": form.get("known", {}),
            "numbers": {
                kind: [_column(form, place) for place in places] for kind, places in form.get("refused", {}).items()
            },
        },
        "tolerance": {
            "absolute": max(accepted, tolerance.float32_atol if single else tolerance.float64_atol),
            "relative": tolerance.float32_rtol if single else tolerance.float64_rtol,
        },
        "proof": manifest.translation.model_dump(mode="json") if manifest.translation else None,
        "conformance": {"inputs": INPUTS, "answers": ANSWERS, "rows": data["origins"]},
        "clients": [one.model_dump() for one in CLIENTS],
    }


def _column(form: dict[str, Any], place: int) -> str | int:
    return form["columns"][place] if form["columns"] else place


def _readme(document: dict[str, Any]) -> str:
    inputs = "\n".join(
        f"- `{one['name']}`: {one['type']}, n rows and {len(one['columns'])} columns" for one in document["inputs"]
    )
    template = Template((_STATIC / "README.md.template").read_text("utf-8"))
    return template.substitute(
        release=document["release"],
        kind=document["kind"],
        method=document["method"],
        inputs=inputs,
        output=document["output"],
        signed="`manifest.json.sig` is cosign's signature of the manifest."
        if document["signed_by"]
        else "The manifest is not signed.",
    )

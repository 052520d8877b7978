"""YAML files with the documents of endpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.release.document import EndpointDocument
from jupyter_deploy.domain.release.document_requests import with_absolute_paths

_MOST_BYTES = 4 * 2**20


class _Loader(yaml.SafeLoader):
    """A YAML loader that refuses a key that is written twice: one of both would be lost unseen."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Construct a mapping of distinct keys."""
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        values = [key.value for key in keys]
        twice = next((key for number, key in enumerate(keys) if key.value in values[:number]), None)
        if twice is not None:
            raise yaml.MarkedYAMLError(problem=f"'{twice.value}' is written twice", problem_mark=twice.start_mark)
        return super().construct_mapping(node, deep)


class YamlDocuments:
    """The Documents port."""

    def read(self, file: str) -> list[EndpointDocument]:
        raw = _parsed(file)
        if not raw:
            raise InvalidInput(f"{file} has no endpoint", "'nbdeploy describe NAME -o yaml' writes a document")
        places = [f"{file}, document {number}" for number in range(1, len(raw) + 1)] if len(raw) > 1 else [file]
        documents = [_document(one, place) for one, place in zip(raw, places, strict=True)]
        names = [document.name for document in documents]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise InvalidInput(f"{file} has the endpoint {twice} twice", "write one document for each endpoint")
        folder = Path(file).absolute().parent
        return [with_absolute_paths(document, folder) for document in documents]


def _parsed(file: str) -> list[Any]:
    """Return the documents of a YAML file that are not empty."""
    try:
        with Path(file).open("rb") as opened:
            content = opened.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise InvalidInput(f"{file} is larger than 4 MiB", "write the documents of fewer endpoints into one file")
        return [one for one in yaml.load_all(content.decode("utf-8"), Loader=_Loader) if one is not None]
    except OSError as error:
        raise InvalidInput(f"cannot read {file}: {error.strerror}", "name a YAML file") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"cannot read {file}: it is no text in UTF-8", "name a YAML file") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{file}, line {mark.line + 1}, column {mark.column + 1}" if mark else file
        raise InvalidInput(f"{where}: {error.problem or error.context}", "correct the YAML") from error
    except yaml.YAMLError as error:
        raise InvalidInput(f"{file} is no YAML: {error}", "correct the YAML") from error
    except RecursionError as error:
        raise InvalidInput(f"{file} is nested too deeply", "write the document as 'describe -o yaml' does") from error


def _document(raw: Any, where: str) -> EndpointDocument:
    if not isinstance(raw, dict):
        raise InvalidInput(f"{where} is no mapping", "write it as 'nbdeploy describe NAME -o yaml' does")
    try:
        return EndpointDocument.model_validate(raw)
    except ValidationError as error:
        lines = [
            f"  {'.'.join(map(str, problem['loc'])) or 'document'}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
        ]
        known = ", ".join(EndpointDocument.model_fields)
        raise InvalidInput(f"{where} is wrong", f"the fields of a document are: {known}", "\n".join(lines)) from error
    except InvalidInput as error:
        raise type(error)(f"{where}: {error.message}", error.remedy, error.details) from error

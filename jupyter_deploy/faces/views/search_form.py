"""The form of a search for models: the columns of the table, and what is wrong with what is typed."""

from __future__ import annotations

from pathlib import Path

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.ports import Ports

from .form_documents import FieldProblem, SearchFormView
from .requests import SearchFormRequest


def search_form(request: SearchFormRequest, ports: Ports) -> SearchFormView:
    """Return the columns of a table; of its file only the head is read."""
    if not request.data.strip():
        return SearchFormView(columns=())
    field = "data"
    try:
        columns = ports.model_search.columns(Path(request.data.strip()).expanduser().absolute())
        field = "label_column"
        if request.label_column.strip():
            ports.model_search.require_label(columns, request.label_column.strip())
    except InvalidInput as error:
        problem = FieldProblem(field=field, message=error.message, remedy=error.remedy)
        return SearchFormView(columns=columns if field == "label_column" else (), problems=(problem,))
    return SearchFormView(columns=columns)

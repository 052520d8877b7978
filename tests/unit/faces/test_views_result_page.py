"""A verb's result as a page, of a job and of a fast verb."""

import pytest

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.faces.views.requests import ResultPageRequest
from jupyter_deploy.faces.views.result_page import result_page


def test_the_result_page_escapes_its_data():
    page = result_page(
        ResultPageRequest(
            verb="stop", result={"endpoints": ["<script>x</script>"], "releases": [], "scope": "endpoint"}
        ),
        None,
    )
    assert page.title == "stop"
    assert "<script>" not in page.html
    assert "&lt;script&gt;" in page.html


@pytest.mark.parametrize("request_", [ResultPageRequest(), ResultPageRequest(verb="fly")], ids=["none", "unknown"])
def test_without_a_verb_there_is_nothing_to_tell(request_):
    with pytest.raises(InvalidInput, match="there is no verb"):
        result_page(request_, None)


def test_what_is_no_result_of_the_verb_is_refused():
    with pytest.raises(InvalidInput, match="no result of stop"):
        result_page(ResultPageRequest(verb="stop", result={"nonsense": 1}), None)

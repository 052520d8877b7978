"""The refused rows that a batch may have."""

import pytest

from jupyter_deploy.domain.batch.requests import BatchRequest
from jupyter_deploy.domain.batch.results import Batch
from jupyter_deploy.domain.batch.spec import allows
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.faces.render.batch_page import batch_page, exit_code_of_batch


@pytest.mark.parametrize(
    ("most", "refused", "allowed"),
    [("0", 0, True), ("0", 1, False), ("3", 3, True), ("1%", 10, True), ("1%", 11, False)],
)
def test_refused_rows_are_allowed_by_number_or_share(most, refused, allowed):
    assert allows(most, refused, 1000) is allowed
    result = Batch(
        endpoint="a", release="a:1", source="s", sink="t", state="complete", partitions=1, scored=1,
        rows=1000, refused=refused, max_errors=most,
    )  # fmt: skip
    assert exit_code_of_batch(result) == (0 if allowed else 1)


@pytest.mark.parametrize("text", ["-1", "many", "101%", "1.5"])
def test_another_text_is_refused(text):
    with pytest.raises(InvalidInput, match="no number of refused rows"):
        BatchRequest(name="a", source="s", sink="t", max_errors=text)


def test_the_page_of_an_interrupted_batch_says_how_it_goes_on():
    result = Batch(
        endpoint="a", release="a:1", source="s", sink="t", state="interrupted", partitions=5, already=1, scored=2
    )
    page = batch_page(result)
    assert page.headline == "a:1 scored 0 rows in 2 partitions; 2 partitions left"
    assert ("interrupted", "the same command goes on with the partitions that are left") in page.facts
    assert exit_code_of_batch(result) == 130

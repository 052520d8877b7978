"""Secrets in what a model prints and raises."""

import json

from hypothesis import given
from hypothesis import strategies as st

from jupyter_deploy.serving.output_masking import MASK, mask_secrets, masked, secret_mask, without_secrets

URL = "postgresql://me:p%40ss word@db/prod"


def test_the_named_variables_are_masked_and_no_others():
    mask_secrets({"NBDEPLOY_SECRETS": "DB_URL,EMPTY,GONE", "DB_URL": URL, "EMPTY": "", "HOME": "/home/me"})
    try:
        assert masked(f"connecting to {URL} from /home/me") == f"connecting to {MASK} from /home/me"
        assert without_secrets(f"FATAL: password 'p@ss word' of {URL!r}") == f"FATAL: password '{MASK}' of '{MASK}'"
    finally:
        mask_secrets({})
    assert masked(URL) == URL


@given(st.text(min_size=4, max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_no_form_of_a_value_stays(value, before, after):
    mask = secret_mask([value])
    for text in (value, json.dumps(value)[1:-1], repr(value)[1:-1]):
        assert text not in mask.masked(f"{before}{text}{after}").replace(MASK, "")


def test_lines_of_a_key_are_masked_one_by_one():
    mask = secret_mask(["-----BEGIN KEY-----\nabcdefgh\nijklmnop\n-----END KEY-----"])
    assert mask.masked("key: abcdefgh") == f"key: {MASK}"

"""References to secrets as a person writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.secret_references import OFF, in_words, parse_reference, parse_secrets, secret_variables

KINDS = ("env", "file", "keyring", "command", "k8s")


@pytest.mark.parametrize(
    "text",
    ["env:PROD_DB", "file:/run/secrets/db url", "file:~/db", "keyring:prod-db", "command:prod/db", "k8s:db/url.ro"],
)
def test_a_reference_is_its_kind_and_place(text):
    assert str(parse_reference(text)) == text


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("env:PROD-DB", "variable of your environment"),
        ("file:db.txt", "absolute path"),
        ("keyring:../x", "nbdeploy secret set"),
        ("command:--help", "NBDEPLOY_SECRET_COMMAND"),
        ("k8s:db", "SECRET/KEY"),
        ("env:", "variable of your environment"),
    ],
)
def test_a_wrong_place_is_refused_with_what_belongs_there(text, hint):
    with pytest.raises(InvalidInput, match=hint):
        parse_reference(text)


@given(
    st.text(min_size=8).filter(lambda text: text.partition(":")[0] not in ("env", "file", "keyring", "command", "k8s"))
)
def test_a_value_in_a_references_place_is_refused_without_being_shown(value):
    with pytest.raises(InvalidInput) as refused:
        parse_reference(value)
    assert value not in str(refused.value)


def test_options_and_a_mapping_are_the_same():
    texts = ["DB_URL=env:PROD_DB", " TOKEN = keyring:token "]
    assert parse_secrets(texts) == parse_secrets({"DB_URL": "env:PROD_DB", "TOKEN": "keyring:token"})
    assert parse_secrets(parse_secrets(texts)) == parse_secrets(texts)
    assert parse_secrets([OFF]) == parse_secrets(OFF) == {OFF: OFF}
    assert parse_secrets(None) == {}


@pytest.mark.parametrize(
    ("given_", "why"),
    [
        (["DB_URL"], "not VARIABLE=REFERENCE"),
        (["A=env:A", "A=env:B"], "given twice"),
        (["PATH=env:A"], "belongs to the process itself"),
        (["PYTHONPATH=env:A"], "belongs to the process itself"),
        (["NBDEPLOY_HOME=env:A"], "belongs to the process itself"),
        (["2A=env:A"], "no name of a variable"),
        (["A=postgresql://me:hunter22x@db"], "never as its value"),
        (["off", "A=env:A"], "not VARIABLE=REFERENCE"),
    ],
)
def test_wrong_options_are_refused(given_, why):
    with pytest.raises(ValueError, match=why) as refused:
        parse_secrets(given_)
    assert "hunter22x" not in str(refused.value)


def test_a_process_gets_the_values_and_their_names():
    assert secret_variables({"A": "1", "B": "2"}) == {"NBDEPLOY_SECRETS": "A,B", "A": "1", "B": "2"}
    assert secret_variables({}) == {}
    assert in_words({"A": "env:B"}) == "A from env:B"

"""Examples that are made from a schema: they satisfy it, and show nothing of the data."""

import jsonschema
import pytest
from pydantic import BaseModel, Field

from jupyter_deploy.domain.capture.signature import infer_schema
from jupyter_deploy.serving.asgi.schema_examples import example_of


class Town(BaseModel):
    name: str = Field(min_length=6)


class Row(BaseModel):
    age: int = Field(ge=18, le=120)
    share: float = Field(gt=0, lt=0.5)
    below: float = Field(lt=-3)
    kind: str = Field(max_length=2)
    town: Town | None
    towns: list[Town] = Field(min_length=2)
    even: int = Field(multiple_of=4)
    flag: bool


class Node(BaseModel):
    value: int
    children: list["Node"]


ROWS = [
    {"age": 37, "name": "Ada", "seen": None, "codes": [7.5, 8.5]},
    {"age": 41, "name": "Bo", "seen": 2.5, "codes": []},
]


@pytest.mark.parametrize(
    "schema",
    [
        infer_schema(ROWS),
        infer_schema([[1.5, 2.5], [3.5, 4.5]], fixed_lengths=True),
        infer_schema(["a"]),
        Row.model_json_schema(),
        {"enum": ["red", "green"]},
        {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False},
    ],
)
def test_it_satisfies_the_schema(schema):
    jsonschema.validate(example_of(schema), schema)


def test_no_value_of_the_data_is_in_it():
    assert example_of(infer_schema(ROWS)) == {"age": 1, "name": "text", "seen": 1.0, "codes": [1.0]}


def test_a_schema_that_names_itself_ends():
    assert example_of(Node.model_json_schema())["value"] == 1

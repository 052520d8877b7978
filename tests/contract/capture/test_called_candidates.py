"""Examples of functions from their calls in the cells, and of parameters that are records."""

import pytest

from tests.contract.candidate_notebooks import FRAME, TEXTS, answered, define, find

DEFINES = """
import dataclasses
from pydantic import BaseModel

class Driver(BaseModel):
    age: int
    city: bool = False

@dataclasses.dataclass
class Order:
    count: int

def risk(driver: Driver) -> float:
    return driver.age / 100

def price(order: "Order"):
    return order.count * 2

def fare(km, minutes=0.0):
    return km + minutes
"""


def examples(source, *cells, function, **known):
    """The expressions for a function that a notebook defines, with what they are said to be."""
    namespace = define(source, **known)
    (model,) = [one for one in find(namespace, source, *cells) if one.variable == function]
    if model.examples:
        answered(model, namespace)
    return {guess.expression: guess.words for guess in model.examples}


@pytest.mark.parametrize(
    ("function", "call", "expression"),
    [
        ("risk", "risk(Driver(age=34, city=True))", "Driver(age=34, city=True)"),
        ("price", "print(price(Order(3)))", "Order(3)"),
        ("fare", "fare(4.2, minutes=11)", "dict(km=4.2, minutes=11)"),
        ("fare", "fares = [fare(-1.5), fare(2)]", "dict(km=2)"),
    ],
)
def test_a_function_gets_the_arguments_of_its_latest_call(function, call, expression):
    cells = ["fare(0)", call]
    assert examples(DEFINES, *cells, function=function)[expression] == "as In [3] calls it"


@pytest.mark.parametrize(
    "call",
    [
        "risk(input())",  # a person would have to answer again
        "risk(Driver(age=next(ages)))",
        "risk(load('ada'))",
        "[risk(driver) for driver in drivers_of_a_file]",
        "risk(*arguments)",
        "def inner():\n    risk(Driver(age=1))",
    ],
)
def test_a_call_that_cannot_be_made_again_is_no_example(call):
    assert examples(DEFINES, call, function="risk") == {}


def test_a_record_of_the_notebook_is_an_example():
    source = f"{DEFINES}\nada = Driver(age=36)\ncrew = [ada, Driver(age=50)]"
    assert list(examples(source, function="risk", frame=FRAME)) == ["ada", "crew[0]"]


def test_of_a_call_with_a_whole_table_the_first_rows_are_taken():
    source = "def total(frame):\n    return frame.sum(axis=1)"
    assert list(examples(source, "total(frame)", function="total", frame=FRAME)) == ["frame[:5]"]


def test_texts_of_the_notebook_come_before_the_text_of_a_call():
    source = "def loud(text: str):\n    return text.upper()"
    assert list(examples(source, "loud('quiet')", function="loud", texts=TEXTS))[:2] == ["'quiet'", "texts[0]"]

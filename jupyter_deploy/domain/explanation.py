"""Contributions of an instance's features to an answer: Shapley values, estimated by sampling. Pure.

A feature's contribution is the mean change of the answer when the feature takes the instance's value in place of a
background row's, over random orders of the features (E. Štrumbelj and I. Kononenko 2014, Explaining prediction models
and individual predictions with feature contributions, Knowledge and Information Systems 41). Each order is walked
backwards too, which lowers the error (R. Mitchell et al. 2022, Sampling permutations for Shapley value estimation,
JMLR 23). The contributions sum to the answer less the mean answer to the background rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from hashlib import sha256
from math import sqrt
from typing import Any, Protocol

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.answer_fields import is_probabilities
from jupyter_deploy.domain.requests import EndpointName, Request

MOST_FEATURES = 300
MOST_PAIRS = 64
"""Orders that are walked, each forwards and backwards."""

SECONDS = 10.0
"""The time after which no further order is walked by a release; two pairs are walked in any case."""

_LEAST_PAIRS = 2
_SECONDS_AT_ONCE = 1.0
_ROWS_AT_ONCE = 400
_LONGEST = 60

Ask = Callable[[Sequence[Any]], Sequence[Any]]
"""Answers instances by a release's model, one answer each."""


class ExplainRequest(Request):
    """Explain an answer: the contribution of each feature, by stable and its candidates."""

    name: EndpointName
    request_id: str | None = Field(
        default=None, description="The x-request-id of an answered request (default: the latest one)."
    )
    key: str | None = Field(default=None, description="The record's key in JupyterLab's list, in place of an id.")
    row: int = Field(default=0, ge=0, description="The row of the request, from 0.")


class Contribution(Value):
    """A feature's contribution to an answer; ``error``: the standard error of the estimate."""

    feature: str
    value: str
    contribution: float
    error: float


class ReleaseExplanation(Value):
    """The explanation of one release's answer.

    Attributes
    ----------
    answer
        The answer as JSON; ``explains``: the number that is explained, in words.
    value, baseline
        This number for the instance, and its mean over the background rows that were drawn.
    pairs
        Orders that were walked forwards and backwards.
    contributions
        The largest first.
    """

    release: str
    role: str
    answer: str
    explains: str
    value: float
    baseline: float
    pairs: int
    contributions: list[Contribution]


class Explanation(Value):
    """The explanations of the answers to one instance; ``background``: the background rows in words."""

    endpoint: str
    request_id: str
    row: int
    background: str
    releases: list[ReleaseExplanation]
    notes: list[str] = []


class ModelAnswers(Protocol):
    def opened(self, snapshot: Snapshot) -> AbstractContextManager[Ask]:
        """Load a model in a clean process of its interpreter, and provide its answers.

        Raises EnvironmentChanged, TargetError (also while it answers).
        """


def features_of(instance: Any) -> list[str]:
    """Return the names of an instance's features: the keys of an object, or the positions of a list.

    Raises
    ------
    InvalidInput
        It has none, or too many.
    """
    if isinstance(instance, Mapping):
        names = list(map(str, instance))
    elif isinstance(instance, list):
        names = [str(place) for place in range(len(instance))]
    else:
        names = []
    if not names:
        raise InvalidInput(
            "the input has no columns that could be varied: it is one value",
            "explanations are for rows of a table, objects and lists",
        )
    if len(names) > MOST_FEATURES:
        raise InvalidInput(
            f"the input has {len(names):,} features, and at most {MOST_FEATURES} are explained",
            "explain such a model in its notebook, by a method that knows its structure",
        )
    return names


def fits(instance: Any, row: Any) -> bool:
    """Return whether a background row has the instance's features."""
    if isinstance(instance, Mapping):
        return isinstance(row, Mapping) and instance.keys() <= row.keys()
    return isinstance(row, list) and len(row) == len(instance)


def explained(
    ask: Ask, instance: Any, background: Sequence[Any], *, release: str, role: str, clock: Callable[[], float]
) -> ReleaseExplanation:
    """Explain the answer to an instance.

    Parameters
    ----------
    background
        Rows with the instance's features, of which some are drawn.
    clock
        Seconds that have passed.

    Raises
    ------
    InvalidInput
        The answer is no number, label or probabilities, or answers to variations of the instance have another form.
    """
    names = features_of(instance)
    (answer,) = ask([instance])
    explains, number_of = _reading(answer)
    whole = number_of(answer)
    means: list[list[float]] = []
    starts: list[float] = []
    end = clock() + SECONDS
    at_once, most_at_once = 1, max(_ROWS_AT_ONCE // (2 * len(names)), 1)
    while len(means) < MOST_PAIRS and (len(means) < _LEAST_PAIRS or clock() < end):
        drawn = [_drawn(len(means) + pair, len(names), background) for pair in range(at_once)]
        walks = [(row, one) for row, order in drawn for one in (order, order[::-1])]
        began = clock()
        steps = [step for row, order in walks for step in _walk(instance, row, order)]
        answers = _numbers(ask(steps), number_of)
        for pair in range(at_once):
            both = []
            for walk in (2 * pair, 2 * pair + 1):
                values = [*answers[walk * len(names) : (walk + 1) * len(names)], whole]
                both.append(_differences(values, walks[walk][1]))
                starts.append(values[0])
            means.append([(one + other) / 2 for one, other in zip(*both, strict=True)])
        seconds = (clock() - began) / at_once
        quick = int(_SECONDS_AT_ONCE / seconds) if seconds > 0 else MOST_PAIRS
        at_once = min(2 * at_once, max(quick, 1), most_at_once, MOST_PAIRS - len(means))
    contributions = [
        Contribution(feature=name, value=_shown(_value_of(instance, place)), contribution=mean, error=error)
        for place, name in enumerate(names)
        for mean, error in [_mean_of([one[place] for one in means])]
    ]
    return ReleaseExplanation(
        release=release,
        role=role,
        answer=_shown(answer),
        explains=explains,
        value=whole,
        baseline=sum(starts) / len(starts),
        pairs=len(means),
        contributions=sorted(contributions, key=lambda one: -abs(one.contribution)),
    )


def _drawn(number: int, features: int, background: Sequence[Any]) -> tuple[Any, list[int]]:
    """Draw a background row and an order of the features by a hash: the same request has the same explanation."""

    def drawn(*key: int) -> bytes:
        return sha256(repr((number, *key)).encode()).digest()

    row = background[int.from_bytes(drawn()[:8]) % len(background)]
    return row, sorted(range(features), key=drawn)


def _walk(instance: Any, row: Any, order: Sequence[int]) -> list[Any]:
    """Return the background row, then with one more of the instance's values each; without the instance itself."""
    if isinstance(instance, Mapping):
        keys = list(instance)
        steps = [{key: row[key] for key in keys}]
        for place in order[:-1]:
            steps.append(steps[-1] | {keys[place]: instance[keys[place]]})
        return steps
    steps_of_lists = [list(row)]
    for place in order[:-1]:
        step = list(steps_of_lists[-1])
        step[place] = instance[place]
        steps_of_lists.append(step)
    return steps_of_lists


def _differences(values: Sequence[float], order: Sequence[int]) -> list[float]:
    changes = [0.0] * len(order)
    for step, place in enumerate(order):
        changes[place] = values[step + 1] - values[step]
    return changes


def _mean_of(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and its standard error."""
    mean = sum(values) / len(values)
    spread = sum((value - mean) ** 2 for value in values) / max(len(values) - 1, 1)
    return mean, sqrt(spread / len(values))


def _reading(answer: Any) -> tuple[str, Callable[[Any], float]]:
    """Return the number of an answer that is explained, in words, and the function that finds it in other answers."""
    if isinstance(answer, float):
        return "the answer", _number
    if isinstance(answer, bool | int | str):
        return f"the answer is {_shown(answer)} (1) or another one (0)", lambda other: float(other == answer)
    if is_probabilities(answer):
        named = list(answer.items()) if isinstance(answer, dict) else list(enumerate(answer))
        key, _ = max(named, key=lambda item: item[1])
        return f"the probability of {_shown(key)}", lambda other: _number(other[key])
    raise InvalidInput(
        "the answer is neither a number, nor a label, nor probabilities, so it has no contributions",
        "explain a model that answers one of these",
    )


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return float(value)


def _numbers(answers: Sequence[Any], number_of: Callable[[Any], float]) -> list[float]:
    numbers = []
    for answer in answers:
        try:
            numbers.append(number_of(answer))
        except (TypeError, ValueError, KeyError, IndexError) as error:
            raise InvalidInput(
                f"the model's answers to variations of this row have another form: {_shown(answer)}",
                "explain a row that the model answers as it answers other rows",
            ) from error
    return numbers


def _value_of(instance: Any, place: int) -> Any:
    return list(instance.values())[place] if isinstance(instance, Mapping) else instance[place]


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"

"""Graphs of scikit-learn's vectorizers of texts: Python finds the words, the graph counts and weighs them.

A word is what a regular expression of Python finds in a text of small letters. ONNX Runtime has other tables of
Unicode and no such expressions, so the graph takes words with a blank between them (``serving/natives/words.py``).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from jupyter_deploy.serving.natives.words import NO_WORD, Words, is_unusual

from .converters import NotTranslatable
from .writer import GraphWriter

TEXTS = "X"
"""The name of the input of a graph that takes texts alone."""

_VALUES = 10_000_000
"""The most counts of one call: a graph has a column for each word, also where a text does not have it."""

_ROWS = 1_000
_LONGEST = 12
_PROBE = "two words, and\tmore:\nfour  five-six 7"


def kinds() -> tuple[type, ...]:
    """The classes of vectorizers with a vocabulary, if this process has imported them."""
    return _named("CountVectorizer", "TfidfVectorizer")


def converters() -> dict[type, Callable[..., None]]:
    """The conversion functions by class, of the modules that this process has imported."""
    return dict.fromkeys(kinds(), convert) | dict.fromkeys(_named("TfidfTransformer"), convert_weights)


def takes_texts(model: Any) -> bool:
    """Whether a model, or a pipeline's first step, takes a list of texts."""
    steps = getattr(model, "steps", None)
    return takes_texts(steps[0][1]) if steps else isinstance(model, kinds())


def words_of(model: Any, columns: Sequence[str]) -> dict[str, Words]:
    """Return how the words are found, by the graph's input; empty: the model has no vectorizer.

    Raises
    ------
    NotTranslatable
        A vectorizer has a function of its own, or counts characters; or another step takes the same column.
    """
    words = {name: _words(one) for name, one in vectorizers_of(model).items()}
    for name in words:
        if columns.count(name) > 1:
            raise NotTranslatable(f"the column '{name}' goes to a vectorizer and to another step")
    return words


def vectorizers_of(model: Any) -> dict[str, Any]:
    """Return the vectorizers by the graph's input that they take. Raises NotTranslatable for two of one column."""
    first = model
    while steps := getattr(first, "steps", None):
        first = steps[0][1]
    if isinstance(first, kinds()):
        return {TEXTS: first}
    found: dict[str, Any] = {}
    for _, transformer, columns in getattr(first, "transformers_", ()):
        if takes_texts(transformer):
            (one,) = vectorizers_of(transformer).values()
            if not isinstance(columns, str):
                raise NotTranslatable(f"a ColumnTransformer must give {type(one).__name__} one column, by its name")
            if columns in found:
                raise NotTranslatable(f"the column '{columns}' goes to two vectorizers")
            found[columns] = one
    return found


def rows_at_once(model: Any) -> int:
    """Return the most rows of one call of the graph; 0: any."""
    width = sum(len(one.vocabulary_) for one in vectorizers_of(model).values())
    return max(1, _VALUES // width) if width else 0


def text_rows(model: Any, base: Any, generator: np.random.Generator) -> Any:
    """Rows of ``base`` whose texts have known and unknown words, other spellings of them, or none."""
    found = vectorizers_of(model)
    if not found:
        return base[:0]
    if not hasattr(base, "columns"):
        return list(_texts(found[TEXTS], generator))
    table = base.iloc[generator.integers(0, len(base), _ROWS)].reset_index(drop=True)
    for name, one in found.items():
        texts = base[name].iloc[:0].reindex(range(_ROWS))
        texts[:] = list(_texts(one, generator))
        table[name] = texts
    return table


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the counts of a vocabulary, weighed; the function of ``custom_conversion_functions`` of skl2onnx."""
    from onnx import TensorProto

    model = operator.raw_operator
    writer = GraphWriter(scope, container)
    flat = writer.constant("shape", np.array([-1], np.int64))
    texts = writer.node("Reshape", [operator.inputs[0].full_name, flat])
    words = writer.node("Tokenizer", [texts], version=1, mark=0, mincharnum=1, pad_value=NO_WORD, tokenexp="[^ ]+")
    terms = _terms(model)
    low, high = model.ngram_range
    ordered = sorted(terms, key=lambda term: (len(term[0]), term[1]))
    begins = [
        sum(length * sum(len(term[0]) == length for term in ordered) for length in range(1, before + 1))
        for before in range(high)
    ]
    counts = writer.node(
        "TfIdfVectorizer",
        [words],
        version=9,
        mode="TF",
        min_gram_length=low,
        max_gram_length=high,
        max_skip_count=0,
        ngram_counts=begins,
        ngram_indexes=[place for _, place in ordered],
        pool_strings=[word for term, _ in ordered for word in term],
    )
    counts = writer.node("Cast", [counts], to=TensorProto.DOUBLE)
    if model.binary:
        counts = _present(writer, counts)
    weights = getattr(model, "_tfidf", None)
    answers = counts if weights is None else _weighed(writer, weights, counts)
    writer.node("Identity", [answers], operator.outputs[0].full_name)


def convert_weights(scope: Any, operator: Any, container: Any) -> None:
    """Add the weights of a ``TfidfTransformer``."""
    writer = GraphWriter(scope, container)
    answers = _weighed(writer, operator.raw_operator, writer.columns(operator))
    writer.node("Identity", [answers], operator.outputs[0].full_name)


def set_types(operator: Any) -> None:
    """Set the type of the counts or weights; a function of ``custom_shape_calculators`` of skl2onnx."""
    from skl2onnx.common.data_types import DoubleTensorType

    model = operator.raw_operator
    width = int(model.n_features_in_) if type(model) in _named("TfidfTransformer") else len(model.vocabulary_)
    operator.outputs[0].type = DoubleTensorType([operator.inputs[0].get_first_dimension(), width])


def _named(*names: str) -> tuple[type, ...]:
    module = sys.modules.get("sklearn.feature_extraction.text")
    return tuple(kind for name in names if (kind := getattr(module, name, None)) is not None)


def _words(model: Any) -> Words:
    name = type(model).__name__
    if type(model) not in kinds():
        raise NotTranslatable(f"{name} is a class of its own")
    if model.analyzer != "word":
        words = "a function of its own" if callable(model.analyzer) else f"the analyzer '{model.analyzer}'"
        raise NotTranslatable(f"{name} with {words} cannot be translated; one of words can")
    own = [given for given in ("preprocessor", "tokenizer") if getattr(model, given) is not None]
    own += ["strip_accents"] if callable(model.strip_accents) else []
    if own:
        raise NotTranslatable(f"{name} with a function of its own ({own[0]}) cannot be translated")
    if model.input != "content":
        raise NotTranslatable(f"{name} that reads files cannot be translated")
    if np.dtype(model.dtype).kind == "f" and np.dtype(model.dtype) != np.float64:
        raise NotTranslatable(f"{name} in {np.dtype(model.dtype)} cannot be translated; one in float64 can")
    if any(" " in word for word in re.findall(model.token_pattern, _PROBE)):
        raise NotTranslatable(f"{name} whose token_pattern finds words with blanks cannot be translated")
    return {
        "pattern": model.token_pattern,
        "lower": bool(model.lowercase),
        "accents": model.strip_accents or "",
        "stop": sorted(model.get_stop_words() or ()),
    }


def _terms(model: Any) -> list[tuple[list[str], int]]:
    """Return the terms of a vocabulary that a text can have, as words and the place of their count."""
    low, high = model.ngram_range
    terms = []
    for term, place in model.vocabulary_.items():
        words = term.split(" ")
        if len(words) > high or any(not word or is_unusual(word) for word in words):
            raise NotTranslatable(f"{type(model).__name__} has the term '{term[:50]}', which is no row of words")
        if len(words) >= low:
            terms.append((words, int(place)))
    if not terms:
        raise NotTranslatable(f"{type(model).__name__} has a vocabulary without terms of its ngram_range")
    return terms


def _present(writer: GraphWriter, counts: str) -> str:
    """Add 1 where a count is above 0, else 0."""
    from onnx import TensorProto

    above = writer.node("Greater", [counts, writer.constant("zero", np.zeros(1))])
    return writer.node("Cast", [above], to=TensorProto.DOUBLE)


def _weighed(writer: GraphWriter, model: Any, counts: str) -> str:
    """Add tf-idf weights of counts, n rows by a column a term, as ``TfidfTransformer.transform`` computes them."""
    one = writer.constant("one", np.ones(1))
    if model.sublinear_tf:
        logarithms = writer.node("Log", [writer.node("Max", [counts, one])])
        counts = writer.node("Mul", [writer.node("Add", [logarithms, one]), _present(writer, counts)])
    if model.use_idf:
        counts = writer.node("Mul", [counts, writer.constant("idf", np.asarray(model.idf_, np.float64).reshape(1, -1))])
    if model.norm is None:
        return counts
    norms = writer.node({"l1": "ReduceL1", "l2": "ReduceL2"}[model.norm], [counts], axes=[1], keepdims=1)
    # A text without known words has the norm 0, and stays as it is.
    none = writer.node("Equal", [norms, writer.constant("zero", np.zeros(1))])
    divisors = writer.node("Where", [none, one, norms], version=9)
    return writer.node("Div", [counts, divisors])


def _texts(model: Any, generator: np.random.Generator) -> Iterator[str]:
    """Yield texts of a vocabulary's words, each with something that a vectorizer may treat otherwise."""
    words = sorted({word for term in model.vocabulary_ for word in term.split(" ")})
    stop = sorted(model.get_stop_words() or ())[:50]
    others = ["", "unseen", "x", "7", "3.14", "don't", "é", "naïve", "Ünder", "İ", "ß", "日本語", "a_b", "\u0301"]
    spellings: tuple[Callable[[str], str], ...] = (
        str,
        str.upper,
        str.title,
        "{}s".format,
        "{}\u0301".format,
        "({}),".format,
        "{}-".format,
    )
    separators = [" ", "  ", ", ", "\n", "\t", "\u00a0", ". ", "-", ""]
    yield from ("", " ", *stop[:1])
    for _ in range(_ROWS - 2 - len(stop[:1])):
        text = ""
        for _ in range(int(generator.integers(1, _LONGEST))):
            bag = (words, words, words, others, stop or words)[int(generator.integers(5))]
            word = bag[int(generator.integers(len(bag)))]
            usual = generator.random() < 0.7
            spelling = str if usual else spellings[int(generator.integers(len(spellings)))]
            separator = " " if usual else separators[int(generator.integers(len(separators)))]
            text += f"{spelling(word)}{separator}"
        yield text

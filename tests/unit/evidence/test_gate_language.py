"""One language for validations, gates on live traffic and ``compare --require``: canonical texts and positions."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.gates.figures import COUNTS, FIGURES, parse_requirement, require_figure
from jupyter_deploy.domain.gates.parser import parse_gate


def parse_live(expression):
    gate = parse_gate(expression)
    require_figure(gate)
    return gate


USES = pytest.mark.parametrize("parse", [parse_gate, parse_live, parse_requirement])

_OPERATORS = st.sampled_from([(">=", ">="), ("≥", ">="), (">", ">"), ("<=", "<="), ("≤", "<="), ("<", "<")])
_SPACE = st.sampled_from(["", " ", "  ", "\t", "\n"])
_WORDS = st.from_regex(r"[A-Za-z_]\w{0,8}", fullmatch=True)
_VALUES = st.one_of(_WORDS, st.sampled_from(["3", "1.5", "A or B", "it's", 'a "b"', "50%", "="]))
_SHARES = st.integers(0, 100)
_MILLISECONDS = st.integers(0, 10**6)


def _number(value):
    return repr(float(value)).removesuffix(".0")


@st.composite
def _rows(draw):
    """A minimum of rows, as its author wrote it and canonical."""
    rows = draw(st.none() | st.integers(1, 10**6))
    if rows is None:
        return "", ""
    return f" over {rows}{draw(st.sampled_from(['', ' rows', ' row']))}", f" over {rows}"


@st.composite
def _share(draw):
    share = draw(_SHARES)
    plain, percent = _number(share / 100), f"{share}{draw(_SPACE)}%"
    return draw(st.sampled_from([plain, percent, f"({percent})", f"+{plain}"])), plain


@st.composite
def _duration(draw):
    milliseconds = draw(_MILLISECONDS)
    space = draw(_SPACE)
    spellings = [_number(milliseconds), f"{milliseconds}{space}ms", f"{milliseconds}e-3{space}s"]
    text = draw(st.sampled_from(spellings))
    assume(parse_gate(f"x_ms > {text}").bound.offset == milliseconds)  # thousandths are not exact in floats
    return text, _number(milliseconds)


@st.composite
def _beside_stable(draw):
    """``stable ± x`` or a multiple of stable; the canonical text has the multiple first."""
    factor, share = draw(st.integers(2, 90)), draw(st.integers(1, 99))
    sign, minus = draw(st.sampled_from([("+", "+"), ("-", "-"), ("−", "-")]))
    times = draw(st.sampled_from(["*", "×"]))
    spelling, canonical = draw(
        st.sampled_from(
            [
                ("stable", "stable"),
                (f"{factor}{times}stable", f"{factor} * stable"),
                (f"stable {times} {factor}", f"{factor} * stable"),
            ]
        )
    )
    offset, offset_text = draw(st.sampled_from([("", ""), (f" {sign} {share}%", f" {minus} {_number(share / 100)}")]))
    return spelling + offset, canonical + offset_text


@st.composite
def _group(draw):
    group = draw(st.dictionaries(_WORDS, _VALUES, max_size=2))
    if not group:
        return "", ""

    def quoted(value):
        return f"'{value}'" if "'" not in value else f'"{value}"'

    def canonical(value):
        return value if re.fullmatch(r"\w+|\d+\.\d+", value) else quoted(value)

    written = ",".join(f"{quoted(name)} ={quoted(value)}" for name, value in group.items())
    return f"[ {written}]", f"[{', '.join(f'{name}={canonical(value)}' for name, value in group.items())}]"


def _joined(draw, metric, bound):
    operator, canonical = draw(_OPERATORS)
    before, after = draw(_SPACE), draw(_SPACE)
    rows, canonical_rows = draw(_rows())
    text = f"{before}{metric[0]}{after}{operator}{before}{bound[0]}{rows}{after}"
    return text, f"{metric[1]} {canonical} {bound[1]}{canonical_rows}"


@st.composite
def metric_gates(draw):
    """A gate on a validation's metric: its text and the canonical one."""
    name = draw(_WORDS)
    group = draw(_group())
    bound = draw(st.one_of(_share(), _beside_stable()))
    return _joined(draw, (name + group[0], name + group[1]), bound)


@st.composite
def figure_gates(draw):
    """A gate on a figure or a count of the comparison: its text and the canonical one."""
    name = draw(st.sampled_from([*FIGURES, *COUNTS]))
    if name in COUNTS:
        count = draw(st.integers(0, 10**6))
        bound = (str(count), str(count))
    else:
        bound = draw(_duration() if name.endswith("_ms") else _share())
    return _joined(draw, (name, name), bound)


def _has_canonical_text(parse, text, canonical):
    gate = parse(text)
    assert str(gate) == canonical
    assert gate.expression == " ".join(text.split())
    again = parse(canonical)
    assert (again.meaning, str(again)) == (gate.meaning, canonical)


@given(metric_gates())
def test_a_gate_on_a_metric_has_one_canonical_text(gate):
    _has_canonical_text(parse_gate, *gate)


@USES
@given(gate=figure_gates())
def test_a_gate_on_a_figure_has_one_canonical_text_in_each_use(parse, gate):
    _has_canonical_text(parse, *gate)


_MARKS = ["[", "]", "=", "==", ">=", "≥", "<", "+", "-", "−", "*", "/", "(", ")", ",", "%", "'", ";", "٣", "²"]
_WRITTEN = ["accuracy", "stable", "over", "rows", "ms", "s", "5ms", "99 %", "1e999", "0", "0.5", "200", "'a b'", "\n"]
_PIECES = st.sampled_from([*FIGURES, *COUNTS, *_MARKS, *_WRITTEN])
_GARBAGE = st.one_of(st.text(max_size=40), st.text(min_size=290, max_size=320), st.lists(_PIECES).map(" ".join))


def _gate_or_error(parse, text):
    try:
        return parse(text)
    except InvalidInput as error:
        return error


@USES
@given(text=_GARBAGE)
def test_any_text_is_a_gate_or_the_one_error_with_a_position_in_the_text(parse, text):
    result = _gate_or_error(parse, text)
    if not isinstance(result, InvalidInput):
        assert parse(str(result)).meaning == result.meaning
        return
    position = int(re.search(r"' is wrong at character (\d+): ", result.message)[1])
    shown, pointer = result.details.rsplit("\n", 1)
    assert type(result) is InvalidInput
    assert result.remedy
    assert 1 <= position <= len(shown) - 1
    assert pointer == " " * (position + 1) + "^"
    assert f"'{shown[2:]}'" in result.message

"""Near-valid requests, and assertions that both paths of a decoder treat them the same."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
from hypothesis import strategies as st

from jupyter_deploy.capture.schemas import ExampleForms, instance_schema, prototype_of
from jupyter_deploy.serving.asgi import body
from jupyter_deploy.serving.asgi.problems import Problem
from jupyter_deploy.serving.dispatch.parsed_request import ParsedRequest
from jupyter_deploy.serving.values.codec import Codec, InvalidInstances, instances_of
from jupyter_deploy.serving.values.decoding import Decoder


def captured(native, container, parameters=(), call=len, schema=None):
    """Return the codec and the example's instances, as a capture makes them."""
    prototype = prototype_of(native, container, call)
    instances = instances_of(native, container, parameters, prototype)
    schema = schema or instance_schema(ExampleForms(native, container, instances, prototype, call, parameters))
    signature = {"container": container, "parameters": parameters, "instance_schema": schema}
    return Codec(json.loads(json.dumps(signature)), prototype), instances


def fast(codec: Codec) -> Decoder:
    decoder = Decoder(codec)
    assert decoder.is_fast
    return decoder


def slow(codec: Codec) -> Decoder:
    """The same decoder without its fast path."""
    decoder = Decoder(codec)
    decoder._type = decoder._decode = None
    return decoder


def outcome(ask, *arguments) -> ParsedRequest | tuple[Any, ...]:
    try:
        return ask(*arguments)
    except Problem as problem:
        return "Problem", problem.status, problem.detail, problem.errors, _sorted(problem.inputs)
    except InvalidInstances as invalid:
        return "InvalidInstances", invalid.errors, _sorted(invalid.inputs)


def assert_same(codec: Codec, found, expected) -> None:
    """Assert the same refusal; or the same batch and equal inputs in the record."""
    if not isinstance(expected, ParsedRequest):
        assert found == expected
        return
    assert isinstance(found, ParsedRequest)
    assert found.rows == expected.rows
    assert _recorded(found.inputs) == _recorded(expected.inputs)
    if found.rows:
        assert_same_batch(Decoder(codec).batch([found]), Decoder(codec).batch([expected]))


def assert_same_batch(found, expected) -> None:
    assert type(found) is type(expected)
    if hasattr(found, "iloc"):
        import pandas as pd

        pd.testing.assert_frame_equal(found, expected, check_exact=True, check_column_type=True, check_index_type=True)
        for position in range(found.shape[1]):
            assert repr(found.iloc[:, position].tolist()) == repr(expected.iloc[:, position].tolist())
        assert type(found.index) is type(expected.index)
    elif hasattr(found, "collect_schema"):
        from polars.testing import assert_frame_equal

        assert_frame_equal(found, expected)
    elif hasattr(found, "numpy"):
        assert (found.dtype, found.device) == (expected.dtype, expected.device)
        assert repr(found.tolist()) == repr(expected.tolist())
    elif isinstance(found, np.ndarray):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert found.flags.writeable == expected.flags.writeable
        assert repr(found.tolist()) == repr(expected.tolist())
    else:
        assert repr(found) == repr(expected)


def _recorded(inputs) -> str:
    if isinstance(inputs, bytes):
        assert b"\n" not in inputs
        assert b"\r" not in inputs
        return _sorted(json.loads(inputs, object_pairs_hook=_each_once))
    return _sorted(inputs)


def _each_once(pairs):
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def _sorted(values) -> str:
    return json.dumps(values, sort_keys=True)


ODD = [
    *(
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "-1e999",
        "1e308",
        "1e39",
        "-3.4028235e38",
        "70000",
        "-0",
        "-0.0",
        "3.0",
    ),
    *("3.5", "1", "0", "-1", "255", "256", "1e2", "01", "1.", ".5", "+1", "true", "false", "null", "{}", "[]", "[1]"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551616", "9007199254740993"),
    *("123456789012345678901234567890", "1" + "0" * 310, "0.1000000000000000055511151231257827021", "1e-400"),
    *('"1"', '"true"', '""', '"a"', '"\\ud800"', '"\\ud83d\\ude00"', '"é"', '"\\u00e9"', '"a:b"', '"[1]"', '"\\n"'),
    *('"x\\"y"', '"2026-01-01"', '"2026-01-01T00:00:00"', '"2026-01-01T00:00:00+02:00"', '"9999-12-31T00:00:00"'),
    *('"now"', '"2026"', '"20260101"', '"2026-01-01 12:00"', '"1764072000"'),
    *('"12:30:00"', "[" * 50 + "]" * 50, '{"a":1}', "undefined", "'a'"),
]


def odd_requests(instances):
    """Yield requests of the first two instances, with each odd value at each position of the second."""
    first, second = (instances * 2)[:2]
    for place in _places(second):
        for text in ODD:
            mark = "\x00here\x00"
            row = json.dumps(_replaced(second, place, mark), ensure_ascii=False).replace(json.dumps(mark), text)
            yield f'{{"instances":[{json.dumps(first)},{row}]}}'.encode()


def assert_paths_agree_on_odd_values(codec: Codec, instances) -> None:
    """Assert that both paths treat each odd value at each position the same."""
    one, other = fast(codec), slow(codec)
    for content in odd_requests(instances):
        assert_same(codec, outcome(one.json, content), outcome(other.json, content))


def assert_paths_agree(codec: Codec, content: bytes) -> None:
    """Assert that both paths treat a request the same, as bytes and as parsed JSON."""
    assert_same(codec, outcome(fast(codec).json, content), outcome(slow(codec).json, content))
    try:
        given = body.instances_in(body.parse(content))
    except Problem:
        return
    assert_same(codec, outcome(fast(codec).instances, given), outcome(slow(codec).instances, given))


def assert_requests_are_joined(codec: Codec, instances) -> None:
    """Assert that requests from both paths, empty ones too, become one batch of all their rows."""
    decoder = fast(codec)
    assert decoder.joinable
    parts = (instances, instances[:1], [], instances * 4)
    bodies = [json.dumps({"instances": rows}).encode() for rows in parts]
    together = slow(codec).json(json.dumps({"instances": [row for rows in parts for row in rows]}).encode())
    decoder._slow_path = None
    by_fast_path = list(map(decoder.json, bodies))
    by_both_paths = [by_fast_path[0], slow(codec).json(bodies[1]), *map(decoder.json, bodies[2:])]
    for requests in (by_fast_path, by_both_paths):
        assert_same_batch(decoder.batch(requests), decoder.batch([together]))


def _places(value):
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [()] + [(key, *place) for key, one in inner for place in _places(one)]


def _replaced(value, place, new):
    if not place:
        return new
    changed = copy.copy(value)
    changed[place[0]] = _replaced(value[place[0]], place[1:], new)
    return changed


SPACE = st.sampled_from(["", "", "", " ", "\n", "\t", "\r\n", "\ufeff", "\x0b"])
PLAIN = st.sampled_from(["", "", " ", "\n"])


@st.composite
def documents(draw, instances) -> bytes:
    """A request of some of the instances, with something odd in some of them."""
    rows = [copy.deepcopy(draw(st.sampled_from(instances))) for _ in range(draw(st.integers(0, 6)))]
    odd = draw(st.integers(0, 2))
    space = draw(st.sampled_from([SPACE, PLAIN]))
    texts = [_text(draw, row, space, odd) for row in rows]
    gap = draw(space)
    text = "[" + f",{gap}".join(texts) + "]"
    key = draw(st.sampled_from(['"instances"'] * 8 + ['"inst\\u0061nces"', '"Instances"']))
    members = [f"{key}{draw(space)}:{draw(space)}{text}"]
    if draw(st.integers(0, 9)) == 0:
        members.insert(
            draw(st.integers(0, 1)),
            draw(st.sampled_from(['"instances":[]', '"id":1', '"instances":[1]', '"instances" :' + text])),
        )
    content = f"{draw(space)}{{{draw(space)}{','.join(members)}{gap}}}{draw(space)}".encode("utf-8", "surrogatepass")
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        byte = draw(
            st.sampled_from(
                [b"", b"\xff", b"\xed\xa0\x80", b"\x00", b'"', b",", b":", b"}", b"]", b"e", b"-", b"0", b"\\"]
            )
        )
        content = content[:at] + byte + content[at + draw(st.integers(0, 1)) :]
    return content


def _text(draw, value, space, odd) -> str:
    if odd and draw(st.integers(0, 7)) == 0:
        return draw(st.sampled_from(ODD))
    if isinstance(value, dict):
        members = _members(draw, value, odd)
        return "{" + ",".join(f"{n}{draw(space)}:{draw(space)}{_text(draw, v, space, odd)}" for n, v in members) + "}"
    if isinstance(value, list):
        items = [_text(draw, item, space, odd) for item in value]
        if odd and items and draw(st.integers(0, 9)) == 0:
            items.pop()
        return "[" + ",".join(items) + "]"
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


def _members(draw, value, odd) -> list[tuple[str, Any]]:
    members = [(json.dumps(name, ensure_ascii=draw(st.booleans())), one) for name, one in value.items()]
    if not (odd and members):
        return members
    match draw(st.integers(0, 9)):
        case 0:
            members.pop(draw(st.integers(0, len(members) - 1)))
        case 1:  # twice
            members.append(draw(st.sampled_from(members)))
        case 2:
            members.append(('"other"', 1))
        case 3:
            members = list(draw(st.permutations(members)))
        case 4:
            name, one = members[0]
            members[0] = ('"' + "".join(f"\\u{ord(c):04x}" for c in json.loads(name)) + '"', one)
    return members

"""Tensors as requests and answers; here, since tests/unit run without torch under several Pythons."""

import math

import pytest
import torch

from jupyter_deploy.serving.values.codec import BadAnswer, encode, instances_of
from jupyter_deploy.serving.values.json_values import to_json
from tests.unit.serving.test_serving_codec import codec_for, refusal


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool])
def test_a_tensor_comes_back_with_its_type(dtype):
    example = torch.tensor([[0, 1], [1, 1]]).to(dtype)
    decoded = codec_for(example, "tensor").decode(instances_of(example, "tensor"))
    assert decoded.dtype == dtype
    assert torch.equal(decoded, example)


def test_a_tensor_of_small_integers_refuses_large_ones():
    codec = codec_for(torch.tensor([[1, 2]], dtype=torch.uint8), "tensor")
    assert refusal(codec, [[1, 2], [1, 300]])[0]["loc"] == ["instances", 1]


@pytest.mark.parametrize("answer", [torch.tensor([1, 2]), torch.tensor([1.0, 2.0], requires_grad=True)])
def test_an_answered_tensor_becomes_a_list(answer):
    assert encode(answer, 2) == [1, 2]


def test_one_number_as_a_tensor_for_the_whole_batch_is_refused():
    with pytest.raises(BadAnswer, match="must return one value a row"):
        encode(torch.tensor(1), 1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (torch.tensor([[0.5, math.nan]], requires_grad=True), [[0.5, None]]),
        (torch.tensor(3), 3),
        (torch.tensor([1.5], dtype=torch.bfloat16), [1.5]),
    ],
)
def test_a_tensor_has_its_plain_json_form(value, expected):
    assert to_json(value) == expected


def test_complex_numbers_have_no_json_form():
    with pytest.raises(TypeError, match="has no JSON form"):
        to_json(torch.tensor([1j]))

"""PyTorch: tables, images, sequences with padding, tied weights."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from tests.contract.models import Built, model


def fitted(module, inputs, targets, steps=5):
    """Left in train mode, as a notebook's loop leaves it."""
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(*inputs), targets).backward()
        optimizer.step()
    return module


@model("PyTorch", "MLP with dropout, on a tensor of rows")
def mlp():
    torch.manual_seed(7)
    rows, classes = torch.randn(32, 4), torch.randint(2, (32,))
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2))
    return Built(fitted(module, [rows], classes), rows[:5])


class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2))
        self.head = nn.Linear(16, 3)

    def forward(self, images):
        return self.head(self.features(images).flatten(1))


@model("PyTorch", "CNN with batch normalisation, on images N×C×H×W")
def cnn():
    torch.manual_seed(7)
    images, digits = torch.rand(8, 1, 8, 8), torch.randint(3, (8,))
    return Built(fitted(Digits().to(memory_format=torch.channels_last), [images], digits), images[:2])


class Sentiment(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(12, 6, padding_idx=0)
        self.reader = nn.LSTM(6, 5, batch_first=True, bidirectional=True)
        self.head = nn.Linear(10, 2)

    def forward(self, ids, lengths):
        packed = pack_padded_sequence(self.words(ids), lengths, batch_first=True, enforce_sorted=False)
        _, (hidden, _) = self.reader(packed)
        return self.head(torch.cat([hidden[0], hidden[1]], dim=1))


@model("PyTorch", "LSTM on padded sequences and their lengths")
def lstm():
    torch.manual_seed(7)
    lengths = torch.tensor([5, 2, 3, 4])
    ids = torch.randint(1, 12, (4, 5)) * (torch.arange(5) < lengths[:, None])
    return Built(fitted(Sentiment(), [ids, lengths], torch.tensor([0, 1, 1, 0])), (ids[:2], lengths[:2]))


class NextWord(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(12, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.reader = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(8, 12, bias=False)
        self.head.weight = self.words.weight

    def forward(self, ids):
        return self.head(self.reader(self.words(ids))[:, -1])


@model("PyTorch", "transformer encoder with tied weights, in double precision")
def encoder():
    torch.manual_seed(7)
    ids = torch.randint(12, (6, 4))
    return Built(fitted(NextWord().double(), [ids], torch.randint(12, (6,))), ids[:3])


@model("PyTorch", "function around a module")
def around():
    module = mlp().model.eval()

    def chance(age: float, income: float) -> float:
        with torch.no_grad():
            return float(module(torch.tensor([[age, income, 0.0, 1.0]])).softmax(dim=1)[0, 1])

    return Built(chance, {"age": 0.5, "income": 1.5})

"""The notebooks: cells that train, one that trains again, the right guess of the dialog, and a client's row."""

from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False)
class WalkNotebook:
    """``train``: cells up to the trained model; ``again``: the cell that makes the second one.

    ``model`` and ``example`` are the right ones, by hand; the example's rows may be any of its table.
    """

    name: str
    train: tuple[str, ...]
    again: str
    model: str
    example: str
    instance: object
    files: dict[str, str] = field(default_factory=dict)
    rows: str = ""

    @property
    def cells(self):
        return (*self.train, self.again)


LOANS = WalkNotebook(
    name="loans",
    train=(
        """
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
""",
        """
rng = np.random.default_rng(7)
n = 600
loans = pd.DataFrame(
    {
        "applied": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 700, n), unit="D"),
        "income": np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(8, 0.4, n).round(-1)),
        "amount": rng.integers(1, 40, n) * 500.0,
        "purpose": rng.choice(["car", "home", "study"], n),
    }
)
repaid = (loans["income"].fillna(3000) * 4 + rng.normal(0, 3000, n) > loans["amount"]).astype(int)
X_train, X_test, y_train, y_test = train_test_split(loans, repaid, random_state=0)
X_train.head()
""",
        """
def with_month(frame):
    return frame.assign(month=frame["applied"].dt.month).drop(columns="applied")

def pipeline(C):
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["purpose"]),
        (make_pipeline(SimpleImputer(), StandardScaler()), ["income", "amount", "month"]),
    )
    return make_pipeline(FunctionTransformer(with_month), columns, LogisticRegression(C=C))

model = pipeline(C=1.0)
model.fit(X_train, y_train)
""",
        "model.score(X_test, y_test)",
    ),
    again="model = pipeline(C=0.01).fit(X_train, y_train)\nmodel.score(X_test, y_test)",
    model="model",
    example="X_test",
    rows="[:5]",
    instance={"applied": "2025-03-01T00:00:00", "income": None, "amount": 9000.0, "purpose": "car"},
)

REVIEWS = WalkNotebook(
    name="reviews",
    files={
        "review_net.py": '''
"""The network of the reviews."""

import re

import torch


def words(text):
    return re.findall(r"[a-z']+", text.lower())


class ReviewNet(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        self.embedding = torch.nn.EmbeddingBag(size, 8)
        self.out = torch.nn.Linear(8, 1)

    def forward(self, tokens):
        return self.out(self.embedding(tokens)).squeeze(1)
''',
        "stop_words.txt": "the\na\nwas\nit\nand\n",
    },
    train=(
        """
import torch
from review_net import ReviewNet, words

good, bad = ["great", "lovely", "fresh", "kind"], ["awful", "cold", "rude", "late"]
reviews = [f"The {thing} was {word}, and it was {word}" for word in good + bad for thing in ("food", "staff", "room")]
labels = [1.0] * 12 + [0.0] * 12
test_reviews = ["A lovely room, great food", "The staff was rude and the food cold", "It was late"]
""",
        """
vocabulary = {"<unknown>": 0}
for review in reviews:
    for word in words(review):
        vocabulary.setdefault(word, len(vocabulary))

def encode(text):
    with open("stop_words.txt") as file:
        stop_words = set(file.read().split())
    known = [vocabulary.get(word, 0) for word in words(text) if word not in stop_words]
    return torch.tensor([known or [0]])
""",
        """
def train(epochs):
    torch.manual_seed(0)
    net = ReviewNet(len(vocabulary))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    for epoch in range(epochs):
        for text, label in zip(reviews, labels):
            optimizer.zero_grad()
            loss = torch.nn.functional.binary_cross_entropy_with_logits(net(encode(text)), torch.tensor([label]))
            loss.backward()
            optimizer.step()
    return net.eval()

net = train(epochs=8)
""",
        """
def sentiment(text: str) -> dict:
    with torch.no_grad():
        probability = torch.sigmoid(net(encode(text))).item()
    return {"sentiment": "good" if probability > 0.5 else "bad", "probability": round(probability, 3)}

[sentiment(text) for text in test_reviews]
""",
    ),
    again="net = train(epochs=2)\n[sentiment(text) for text in test_reviews]",
    model="sentiment",
    example="test_reviews[0]",
    instance="The food was great",
)

QUOTES = WalkNotebook(
    name="quotes",
    train=(
        """
import numpy as np
from pydantic import BaseModel, Field
from sklearn.linear_model import GammaRegressor, LogisticRegression, PoissonRegressor

rng = np.random.default_rng(3)
drivers = np.column_stack([rng.integers(18, 90, 500), rng.integers(40, 250, 500), rng.integers(0, 2, 500)])
claims = rng.poisson(np.exp(-2 + drivers[:, 1] / 150))
damages = rng.gamma(2, 400 + drivers[:, 1])
cancelled = rng.random(500) < 0.1 + 0.3 * drivers[:, 2]
""",
        """
class Driver(BaseModel):
    age: int = Field(ge=18, le=120)
    horsepower: int = Field(gt=0)
    city: bool = False

class Quote(BaseModel):
    premium: float
    discount: bool
""",
        """
frequency = PoissonRegressor(alpha=1e-3).fit(drivers, claims)
severity = GammaRegressor(alpha=1e-3).fit(drivers, damages)
cancellation = LogisticRegression().fit(drivers, cancelled)
""",
        """
def quote(driver: Driver) -> Quote:
    row = [[driver.age, driver.horsepower, driver.city]]
    risk = frequency.predict(row)[0] * severity.predict(row)[0]
    return Quote(premium=round(1.2 * risk, 2), discount=cancellation.predict_proba(row)[0, 1] > 0.3)

quote(Driver(age=34, horsepower=110, city=True))
""",
    ),
    again="""
severity = GammaRegressor(alpha=10.0).fit(drivers, damages)
quote(Driver(age=34, horsepower=110, city=True))
""",
    model="quote",
    example="Driver(age=34, horsepower=110, city=True)",
    instance={"age": 51, "horsepower": 90, "city": False},
)

NOTEBOOKS = (LOANS, REVIEWS, QUOTES)

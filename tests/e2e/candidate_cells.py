"""The cells of notebooks whose models are compared before one is deployed."""

from tests.e2e.person import TRAIN

CHOICE = [
    TRAIN[0],
    "models = {'logit': LogisticRegression().fit(X_train, y_train),\n"
    "          'small': LogisticRegression(C=0.001).fit(X_train, y_train)}",
    "import jupyter_deploy\n"
    "found = jupyter_deploy.candidates(models, X_test, y_test, by={'old': X_test.age > 50}, translated=False)",
    """
def scaled(part, factor):
    return part.model_copy(update={name: value * factor for name, value in part if isinstance(value, float)})

def variant(number):
    row = found.table.candidates[number % 2]
    spreads = {name: scaled(one, 1 + number / 4) for name, one in row.performance if hasattr(one, "median")}
    performance = row.performance.model_copy(update=spreads | {"memory_mb": 90.0 + 9 * number})
    shift = 0.7 + 0.02 * number - row.score.value
    interval = row.score.interval.model_copy(
        update={"low": row.score.interval.low + shift, "high": row.score.interval.high + shift})
    score = row.score.model_copy(update={"value": row.score.value + shift, "interval": interval})
    return row.model_copy(update={"name": f"model {number}", "score": score, "performance": performance})

found.table = found.table.model_copy(update={"candidates": tuple(map(variant, range(12)))})
found""",
]
"""A measured table of two models, shown as one of twelve."""

COMPARED = [
    TRAIN[0],
    "\n".join(f"logit_{n} = LogisticRegression(C=10.0 ** (2 - {n})).fit(X_train, y_train)" for n in range(12)),
]

"""The code that turns columns into features, in the notebook and in the search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from .columns import Columns

_DATE_PARTS = '''
def date_parts(table):
    """Days since 1970, month, day of the week and hour of each column."""
    parts = {}
    for name in table:
        date = table[name].dt
        parts[f"{name} days"] = (table[name] - pd.Timestamp(0, tz=date.tz)) / pd.Timedelta(days=1)
        parts |= {f"{name} month": date.month, f"{name} weekday": date.dayofweek, f"{name} hour": date.hour}
    return pd.DataFrame(parts).astype(float)
'''

_SAFE = str.isidentifier


class Features:
    """The features of a table's columns.

    Attributes
    ----------
    names
        The names that the code needs, by module.
    code
        The definitions; empty: all models take the columns as they are.
    """

    def __init__(self, columns: Columns, table: Any) -> None:
        self._columns = columns
        self._gaps = {name for name in columns.features if table[name].isna().any()}
        self._plain = not (columns.categories or columns.dates)
        parts = [] if not columns.dates else [_DATE_PARTS]
        if not self._plain:
            parts += [self._linear(), self._tree()]
        elif self._gaps:
            parts = [self._linear()]
        self.code = "\n".join(part.strip("\n") + "\n" for part in parts).replace("\n\ndef", "\n\n\ndef").strip("\n")

    def expression(self, kind: Literal["linear", "tree"], model: str) -> str:
        """Return the expression of a pipeline that ends in a model."""
        if kind == "linear":
            return f"make_pipeline({'linear_features()' if self._needs('linear') else 'StandardScaler()'}, {model})"
        if self._needs("tree"):
            return f"make_pipeline(tree_features(), {model})"
        # LightGBM refuses some characters in the names of columns.
        named = model.startswith("LGBM") and not all(map(_SAFE, self._columns.numbers))
        return f'make_pipeline(make_column_transformer(("passthrough", numbers)), {model})' if named else model

    def _needs(self, kind: str) -> bool:
        return not self._plain or (kind == "linear" and bool(self._gaps))

    def _linear(self) -> str:
        steps = []
        columns = self._columns
        if columns.numbers:
            filled = bool(self._gaps & set(columns.numbers))
            scaled = (
                'make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())'
                if filled
                else "StandardScaler()"
            )
            steps.append(f"({scaled}, numbers)")
        if columns.categories:
            steps.append(
                '(OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5, sparse_output=False), '
                "categories)"
            )
        if columns.dates:
            filled_dates = "SimpleImputer(), " if self._gaps & set(columns.dates) else ""
            steps.append(f"(make_pipeline(FunctionTransformer(date_parts), {filled_dates}StandardScaler()), dates)")
        return _function("linear_features", "Scaled numbers without gaps; a category as columns of 0 and 1.", steps)

    def _tree(self) -> str:
        steps = []
        columns = self._columns
        if columns.numbers:
            steps.append('("passthrough", numbers)')
        if columns.categories:
            encoder = 'OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)'
            steps.append(f"({encoder}, categories)")
        if columns.dates:
            steps.append("(FunctionTransformer(date_parts), dates)")
        return _function("tree_features", "Numbers as they are, gaps too; a category as a code.", steps)


def _function(name: str, words: str, steps: Sequence[str]) -> str:
    lines = "\n".join(f"        {step}," for step in steps)
    return f'def {name}():\n    """{words}"""\n    return make_column_transformer(\n{lines}\n    )\n'


IMPORTED = {
    "make_column_transformer": "sklearn.compose",
    "DummyClassifier": "sklearn.dummy",
    "DummyRegressor": "sklearn.dummy",
    "VotingClassifier": "sklearn.ensemble",
    "VotingRegressor": "sklearn.ensemble",
    "SimpleImputer": "sklearn.impute",
    "make_pipeline": "sklearn.pipeline",
    "FunctionTransformer": "sklearn.preprocessing",
    "OneHotEncoder": "sklearn.preprocessing",
    "OrdinalEncoder": "sklearn.preprocessing",
    "StandardScaler": "sklearn.preprocessing",
}
"""The module of each name that features, ensembles and baselines use."""

"""Inverse links of R's generalised linear models, with R's bounds (``make.link`` and ``family.c`` of R)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from .arithmetic import Arithmetic

_EPSILON = sys.float_info.epsilon
_LOGIT_BOUND = 30.0
_PROBIT_BOUND = 8.125890664701906  # -qnorm(.Machine$double.eps)


def _identity(math: Arithmetic, eta: str) -> str:
    del math
    return eta


def _logit(math: Arithmetic, eta: str) -> str:
    odds = math.function("exp", eta)
    odds = math.choose(math.is_less(eta, -_LOGIT_BOUND), math.number(_EPSILON), odds)
    odds = math.choose(math.is_more(eta, _LOGIT_BOUND), math.number(1 / _EPSILON), odds)
    return math.operation("/", odds, math.operation("+", odds, 1.0))


def _probit(math: Arithmetic, eta: str) -> str:
    return normal_distribution(math, math.at_most(math.at_least(eta, -_PROBIT_BOUND), _PROBIT_BOUND))


def _cloglog(math: Arithmetic, eta: str) -> str:
    survival = math.expm1(math.negative(math.function("exp", eta)))
    return math.at_least(math.at_most(math.negative(survival), 1 - _EPSILON), _EPSILON)


def _log(math: Arithmetic, eta: str) -> str:
    return math.at_least(math.function("exp", eta), _EPSILON)


def _inverse(math: Arithmetic, eta: str) -> str:
    return math.operation("/", math.number(1.0), eta)


INVERSE_LINKS: Mapping[str, Callable[[Arithmetic, str], str]] = {
    "identity": _identity,
    "logit": _logit,
    "probit": _probit,
    "cloglog": _cloglog,
    "log": _log,
    "inverse": _inverse,
    "sqrt": lambda math, eta: math.operation("^", eta, 2.0),
    "1/mu^2": lambda math, eta: _inverse(math, math.function("sqrt", eta)),
}
"""By R's name of the link: adds the response to a linear predictor."""


# W. J. Cody, Rational Chebyshev approximations for the error function, Math. Comp. 23 (1969), as in R's pnorm.
_NEAR = 0.67448975
_FAR = 32**0.5
_ROOT_OF_TWO_PI = 0.398942280401432677939946059934  # 1 / sqrt(2 * pi)
_A = (0.065682337918207449113, 2.2352520354606839287, 161.02823106855587881, 1067.6894854603709582,
      18154.981253343561249)  # fmt: skip
_B = (1.0, 47.20258190468824187, 976.09855173777669322, 10260.932208618978205, 45507.789335026729956)
_C = (1.0765576773720192317e-8, 0.39894151208813466764, 8.8831497943883759412, 93.506656132177855979,
      597.27027639480026226, 2494.5375852903726711, 6848.1904505362823326, 11602.651437647350124,
      9842.7148383839780218)  # fmt: skip
_D = (1.0, 22.266688044328115691, 235.38790178262499861, 1519.377599407554805, 6485.558298266760755,
      18615.571640885098091, 34900.952721145977266, 38912.003286093271411, 19685.429676859990727)  # fmt: skip
_P = (0.02307344176494017303, 0.21589853405795699, 0.1274011611602473639, 0.022235277870649807,
      0.001421619193227893466, 2.9112874951168792e-5)  # fmt: skip
_Q = (1.0, 1.28426009614491121, 0.468238212480865118, 0.0659881378689285515, 0.00378239633202758244,
      7.29751555083966205e-5)  # fmt: skip


def normal_distribution(math: Arithmetic, x: str) -> str:
    """Add the distribution function of the standard normal distribution: ONNX Runtime's ``Erf`` has 32 bits only."""
    size = math.function("abs", x)
    square = math.operation("*", x, x)
    near = math.operation("/", math.polynomial(square, _A), math.polynomial(square, _B))
    near = math.operation("+", math.operation("*", near, x), 0.5)

    density = math.function("exp", math.operation("*", square, -0.5))
    middle = math.operation("/", math.polynomial(size, _C), math.polynomial(size, _D))
    inverse = math.operation("/", math.number(1.0), square)
    far = math.operation("/", math.polynomial(inverse, _P), math.polynomial(inverse, _Q))
    far = math.operation("-", math.number(_ROOT_OF_TWO_PI), math.operation("*", inverse, far))
    far = math.operation("/", far, size)
    tail = math.operation("*", density, math.choose(math.is_less(size, _FAR), middle, far))
    beyond = math.choose(math.is_more(x, 0.0), math.operation("-", math.number(1.0), tail), tail)
    return math.choose(math.is_less(size, _NEAR), near, beyond)

"""statsmodels: results, by formula and without."""

import numpy as np
import statsmodels.api as sm
import statsmodels.formula.api as smf

from tests.contract.models import Built, model
from tests.contract.models.people import LABELS, PEOPLE, SCORES

DATA = PEOPLE.assign(score=SCORES, yes=(LABELS == "yes").astype(int), member=PEOPLE["member"].astype(int))
ASKED = PEOPLE.assign(member=DATA["member"])[:5]
ADULT = 18


def since(age):
    return age - ADULT


@model("statsmodels", "OLS by formula, with C(), np.log and a function of the notebook's own")
def ols():
    return Built(smf.ols("score ~ since(age) + np.log(income) + C(city)", DATA).fit(), ASKED)


@model("statsmodels", "GLM by formula (binomial)")
def glm():
    return Built(smf.glm("yes ~ age + income", DATA, family=sm.families.Binomial()).fit(), ASKED[["age", "income"]])


@model("statsmodels", "Logit by formula, with center() and bs()")
def logit():
    fitted = smf.logit("yes ~ center(age) + bs(income, df=4) + member", DATA).fit_regularized(disp=0, alpha=1.0)
    return Built(fitted, ASKED[["age", "income", "member"]])


@model("statsmodels", "OLS on an array")
def ols_array():
    exog = sm.add_constant(DATA[["age", "income"]].to_numpy())
    return Built(sm.OLS(SCORES, exog).fit(), exog[:5])


@model("statsmodels", "ARIMA, method forecast")
def arima():
    from statsmodels.tsa.arima.model import ARIMA

    return Built(ARIMA(np.cumsum(SCORES[:60] - SCORES.mean()), order=(1, 0, 0)).fit(), 3, "forecast")

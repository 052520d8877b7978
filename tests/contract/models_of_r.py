"""Models that people fit in R: cells, the model's and the example's expression, and the type of ``predict``."""

from dataclasses import dataclass

CARS = "cars <- transform(mtcars, cyl = factor(cyl), am = am == 1, gear = as.integer(gear))\n"
IRIS = "set.seed(1)\n"
AIR = "air <- na.omit(airquality)\n"


@dataclass(frozen=True)
class Fit:
    """A line of the table; ``package`` is the one that fits it, as in ``library()``; base R's own are loaded anyway."""

    package: str
    kind: str
    cells: str
    example: str
    model: str = "fit"
    type: str | None = None


FITS = (
    Fit("stats", "lm, with a factor, a logical and poly()", CARS + "fit <- lm(mpg ~ poly(wt, 2) + cyl + am, cars)", "head(cars[c('wt', 'cyl', 'am')])"),
    Fit("stats", "lm with functions and constants of the notebook", CARS + "k <- 2\nsq <- function(x) x^k\nfit <- lm(mpg ~ sq(wt) + log(hp), cars)", "head(cars[c('wt', 'hp')])"),
    Fit("stats", "lm of texts", "d <- data.frame(y = c(1, 2, 4, 5), s = c('a', 'b', 'a', 'b'))\nfit <- lm(y ~ s, d)", "d['s']"),
    Fit("stats", "lm of dates", "d <- data.frame(y = 1:9 + 0.5, day = as.Date('2026-01-01') + (1:9)^2)\nfit <- lm(y ~ day, d)", "head(d['day'])"),
    Fit("stats", "glm (binomial), on the scale of the response", CARS + "fit <- glm(am ~ wt, binomial, cars)", "head(cars['wt'])"),
    Fit("stats", "glm (poisson), method link", "fit <- glm(breaks ~ wool + tension, poisson, warpbreaks)", "head(warpbreaks[c('wool', 'tension')])", type="link"),
    Fit("stats", "nls", "fit <- nls(density ~ SSlogis(log(conc), Asym, xmid, scal), DNase)", "head(DNase['conc'])"),
    Fit("stats", "loess", "fit <- loess(dist ~ speed, cars)", "rbind(cars[10:14, 'speed', drop = FALSE], data.frame(speed = 99))"),
    Fit("stats", "smooth.spline, of a vector", "fit <- smooth.spline(cars$speed, cars$dist)", "cars$speed[1:5]"),
    Fit("stats", "ppr", "fit <- ppr(dist ~ speed, data = cars, nterms = 1)", "head(cars['speed'])"),
    Fit("stats", "prcomp", "fit <- prcomp(iris[1:4], scale. = TRUE)", "iris[c(1, 60, 120), 1:4]"),
    Fit("stats", "a function around kmeans", IRIS + "km <- kmeans(iris[1:4], 3)\nnearest <- function(df) apply(as.matrix(df), 1, function(row) which.min(colSums((t(km$centers) - row)^2)))", "iris[c(1, 60, 120), 1:4]", model="nearest"),
    Fit("stats", "a function that returns a data frame", CARS + "fit <- lm(mpg ~ wt, cars)\nbounds <- function(df) as.data.frame(predict(fit, df, interval = 'prediction'))", "head(cars['wt'])", model="bounds"),
    Fit("stats", "an S3 class of the notebook, with its predict method", "fit <- structure(list(mean = 3), class = 'constant')\npredict.constant <- function(object, newdata, ...) rep(object$mean, nrow(newdata))", "head(cars['speed'])"),
    Fit("stats", "a function of times in a zone, whole numbers and missing values", "t <- data.frame(at = as.POSIXct('2026-03-29 01:30:00', tz = 'Europe/Berlin') + 0:2 * 3600, n = c(1L, NA, 3L), b = c(TRUE, NA, FALSE))\nhour <- function(df) as.integer(format(df$at, '%H')) + df$n", "t", model="hour"),
    Fit("splines", "lm with bs() and ns()", CARS + "library(splines)\nfit <- lm(mpg ~ bs(wt, df = 4) + ns(hp, 3), cars)", "head(cars[c('wt', 'hp')])"),
    Fit("MASS", "lda: class, posterior and x of each row", "library(MASS)\nfit <- lda(Species ~ ., iris)", "iris[c(1, 60, 120), 1:4]"),
    Fit("MASS", "polr, method probs", "library(MASS)\nfit <- polr(Sat ~ Infl + Type, housing, weights = Freq)", "head(housing[c('Infl', 'Type')])", type="probs"),
    Fit("MASS", "rlm", CARS + "fit <- MASS::rlm(mpg ~ wt + hp, cars)", "head(cars[c('wt', 'hp')])"),
    Fit("rpart", "rpart, method class", "library(rpart)\nfit <- rpart(Kyphosis ~ Age + Number + Start, kyphosis)", "head(kyphosis[c('Age', 'Number', 'Start')])", type="class"),
    Fit("rpart", "rpart, probabilities", "library(rpart)\nfit <- rpart(Species ~ ., iris)", "iris[c(1, 60, 120), 1:4]", type="prob"),
    Fit("nnet", "nnet", IRIS + "library(nnet)\nfit <- nnet(dist ~ speed, cars, size = 2, linout = TRUE, trace = FALSE)", "head(cars['speed'])"),
    Fit("nnet", "multinom, method probs", "library(nnet)\nfit <- multinom(Species ~ Sepal.Length + Sepal.Width, iris, trace = FALSE)", "iris[c(1, 60, 120), 1:2]", type="probs"),
    Fit("survival", "coxph, method risk", "library(survival)\nfit <- coxph(Surv(time, status) ~ age + sex, lung)", "head(lung[c('age', 'sex')])", type="risk"),
    Fit("survival", "survreg", "library(survival)\nfit <- survreg(Surv(time, status) ~ age + sex, lung)", "head(lung[c('age', 'sex')])"),
    Fit("mgcv", "gam", "library(mgcv)\n" + AIR + "fit <- gam(Ozone ~ s(Temp) + s(Wind), data = air)", "head(air[c('Temp', 'Wind')])"),
    Fit("class", "a function around knn", "library(class)\nnearest <- function(df) knn(iris[1:4], df, iris$Species, k = 1)", "iris[c(1, 60, 120), 1:4]", model="nearest"),
    Fit("nlme", "lme", "library(nlme)\nfit <- lme(distance ~ age, Orthodont, ~ 1 | Subject)", "transform(as.data.frame(head(Orthodont)), Subject = factor(Subject, ordered = FALSE))[c('age', 'Subject')]"),
    Fit("randomForest", "randomForest", IRIS + "library(randomForest)\nfit <- randomForest(Species ~ ., iris, ntree = 20)", "iris[c(1, 60, 120), 1:4]"),
    Fit("ranger", "ranger", "library(ranger)\nfit <- ranger(Species ~ ., iris, num.trees = 20, seed = 1, probability = TRUE, num.threads = 1)", "iris[c(1, 60, 120), 1:4]"),
    Fit("glmnet", "cv.glmnet of a matrix", IRIS + "library(glmnet)\nx <- as.matrix(iris[1:3])\nfit <- cv.glmnet(x, iris[[4]])", "x[c(1, 60, 120), ]"),
    Fit("e1071", "svm", "library(e1071)\nfit <- svm(Species ~ ., iris)", "iris[c(1, 60, 120), 1:4]"),
    Fit("e1071", "naiveBayes, method raw", "library(e1071)\nfit <- naiveBayes(Species ~ ., iris)", "iris[c(1, 60, 120), 1:4]", type="raw"),
    Fit("earth", "earth", AIR + "library(earth)\nfit <- earth(Ozone ~ Temp + Wind, air)", "head(air[c('Temp', 'Wind')])"),
    Fit("kernlab", "ksvm", IRIS + "library(kernlab)\nfit <- ksvm(Species ~ ., iris)", "iris[c(1, 60, 120), 1:4]"),
    Fit("lme4", "lmer", "library(lme4)\nfit <- lmer(Reaction ~ Days + (Days | Subject), sleepstudy)", "head(sleepstudy[c('Days', 'Subject')])"),
    Fit("caret", "train (lm)", CARS + "library(caret)\nset.seed(1)\nfit <- train(mpg ~ wt + hp, cars, method = 'lm')", "head(cars[c('wt', 'hp')])"),
)  # fmt: skip

# Models that are translated, for the contract tests and docs/supported-r-models.md. Each begins with a line of
# its package, its kind, the expressions of model and example, the type of predict, if any, and the training table, if the
# call does not name it.

#| stats | lm of numbers | fit | head(mtcars[c('wt', 'hp')])
fit <- lm(mpg ~ wt + hp, mtcars)

#| stats | lm without a variable | fit | head(mtcars['wt'])
fit <- lm(mpg ~ 1, mtcars)

#| stats | lm without an intercept, of factors | fit | iris[c(1, 60, 120), c('Species', 'Petal.Width')]
fit <- lm(Sepal.Length ~ 0 + Species * Petal.Width, iris)

#| stats | lm with poly(), a factor, a logical and their interactions | fit | cars[1:9, c('wt', 'cyl', 'am')]
cars <- transform(mtcars, cyl = factor(cyl), am = am == 1)
fit <- lm(mpg ~ poly(wt, 2) * cyl + am:cyl + poly(wt, 3, raw = TRUE), cars)

#| stats | lm with I(), log, exp, sqrt, abs, sin, cos and comparisons | fit | head(mtcars[c('wt', 'hp', 'qsec')])
k <- 2
fit <- lm(mpg ~ I(wt^k) + log(hp) + log(hp, 3) + log10(hp - wt) + exp(-wt) + sqrt(qsec) + I(abs(wt - 3) / hp) +
  sin(2 * pi * qsec) + cos(qsec) + (wt > 3.2) + I(qsec != 17.02) + log1p(wt / 1e3) + log2(wt) + expm1(hp / 1e3), mtcars)

#| stats | lm with an aliased column | fit | head(mtcars[c('wt', 'hp')])
fit <- lm(mpg ~ wt + I(2 * wt) + hp + I(wt - hp), mtcars)

#| stats | lm with a factor in full dummies, nested in another | fit | warpbreaks[c(1, 10, 40), c('wool', 'tension')]
fit <- lm(breaks ~ wool + wool:tension, warpbreaks)

#| stats | lm with an interaction of a number and a factor without main effects | fit | iris[c(1, 60, 120), c('Species', 'Petal.Width')]
fit <- lm(Sepal.Length ~ Species:Petal.Width, iris)

#| stats | lm of an ordered factor, by polynomial contrasts | fit | d[1:5, c('size', 'carat')]
d <- data.frame(size = factor(rep(c('s', 'm', 'l', 'xl'), 10), c('s', 'm', 'l', 'xl'), ordered = TRUE), carat = (1:40)^0.5)
d$price <- as.integer(d$size)^2 + d$carat + rep(c(0.1, -0.2, 0.3), length.out = 40)
fit <- lm(price ~ size * carat, d)

#| stats | lm with sum contrasts of the call and a matrix of contrasts of the factor | fit | warpbreaks2[c(1, 10, 40), c('wool', 'tension')]
warpbreaks2 <- warpbreaks
contrasts(warpbreaks2$tension) <- cbind(c(-1, 0, 1), c(1, -2, 1))
fit <- lm(breaks ~ wool * tension, warpbreaks2, contrasts = list(wool = 'contr.sum'))

#| stats | lm with scale() and whole numbers | fit | head(cars[c('wt', 'gear', 'carb')])
cars <- transform(mtcars, gear = as.integer(gear), carb = as.integer(carb))
fit <- lm(mpg ~ scale(wt) + gear * carb + I(gear * carb * 40000L), cars)

#| stats | lm of texts, and of a factor() of texts | fit | d[c('s', 't')]
d <- data.frame(y = c(1, 2, 4, 5, 9, 7), s = c('a', 'b', 'a', 'b', '\u00e4 \u4e2d', 'b'), t = c('x', '', 'x', '', 'x', 'x'))
fit <- lm(y ~ s + factor(t), d)

#| stats | lm with missing values | fit | airquality[1:8, c('Solar.R', 'Wind', 'Temp')]
fit <- lm(Ozone ~ Solar.R + Wind + Temp, airquality)

#| stats | lm with weights and an offset, as an argument | fit | head(mtcars[c('wt', 'hp')])
fit <- lm(mpg ~ wt, mtcars, weights = hp, offset = hp / 100)

#| stats | glm (binomial, logit) | fit | head(mtcars[c('wt', 'hp')])
fit <- suppressWarnings(glm(am ~ wt + hp, binomial, mtcars))

#| stats | glm (binomial, probit) | fit | head(mtcars[c('wt', 'hp')])
fit <- glm(vs ~ wt + hp, binomial('probit'), mtcars)

#| stats | glm (binomial, cloglog), of a factor | fit | d[1:5, c('Petal.Width', 'long')]
d <- transform(iris, long = Sepal.Length > 6, big = factor(Sepal.Width > 3, labels = c('no', 'yes')))
fit <- glm(big ~ Petal.Width * long, binomial('cloglog'), d)

#| stats | glm (poisson, log) with an offset | fit | d[1:4, c('wool', 'tension', 'hours')]
d <- transform(warpbreaks, hours = 1 + (seq_len(54) %% 5))
fit <- glm(breaks ~ wool * tension + offset(log(hours)), poisson, d)

#| stats | glm (poisson), type link | fit | warpbreaks[c(1, 10, 40), c('wool', 'tension')] | link
fit <- glm(breaks ~ wool + tension, poisson, warpbreaks)

#| stats | glm (Gamma, inverse) | fit | head(mtcars[c('wt', 'hp')])
fit <- glm(mpg ~ wt + hp, Gamma, mtcars)

#| stats | glm (gaussian, identity) | fit | head(mtcars[c('wt', 'hp')])
fit <- glm(mpg ~ wt + hp, gaussian, mtcars)

#| stats | glm (inverse.gaussian, 1/mu^2) | fit | head(mtcars[c('wt', 'hp')])
fit <- glm(mpg ~ wt + hp, inverse.gaussian, mtcars)

#| stats | glm (poisson, sqrt) | fit | warpbreaks[c(1, 10, 40), c('wool', 'tension')]
fit <- glm(breaks ~ wool + tension, poisson('sqrt'), warpbreaks)

#| stats | glm (quasibinomial) of shares | fit | esoph[c(1, 20, 60), c("agegp", "alcgp")]
fit <- glm(cbind(ncases, ncontrols) ~ agegp + alcgp, quasibinomial, esoph)

#| rpart | rpart of numbers | fit | head(mtcars[c('wt', 'hp', 'qsec')])
library(rpart)
fit <- rpart(mpg ~ wt + hp + qsec, mtcars, minsplit = 4)

#| rpart | rpart of factors, a logical and texts with missing values, by surrogates, method class | fit | d[1:6, names(d) != 'y'] | class
library(rpart)
set.seed(1)
d <- data.frame(a = rnorm(400), g = factor(sample(letters[1:6], 400, TRUE)), o = sample(1:9, 400, TRUE), l = rnorm(400) > 0)
d$t <- sample(c('x', 'y', 'z'), 400, TRUE)
d$s <- factor(sample(c('low', 'mid', 'high'), 400, TRUE), c('low', 'mid', 'high'), ordered = TRUE)
d$y <- factor(ifelse(d$a + (d$g %in% c('a', 'd')) + d$l + (d$t == 'y') + as.integer(d$s) / 3 + rnorm(400) > 1.5, 'yes', 'no'))
d$b <- d$a + rnorm(400) / 4
d$a[sample(400, 80)] <- NA
d$g[sample(400, 50)] <- NA
fit <- rpart(y ~ ., d, cp = 0.002, minsplit = 6)

#| rpart | rpart, probabilities | fit | iris[c(1, 60, 120), 1:4]
library(rpart)
fit <- rpart(Species ~ ., iris, cp = 0)

#| rpart | rpart of counts (poisson), with a function in the formula, without the majority rule | fit | head(d[c('Temp', 'Wind', 'Solar.R')])
library(rpart)
d <- transform(airquality, days = 1 + Day %% 3)
fit <- rpart(cbind(days, Temp) ~ log(Wind) + Solar.R + I(Temp * 2), d, method = 'poisson', usesurrogate = 1, maxsurrogate = 1)

#| randomForest | randomForest | fit | iris[c(1, 60, 120), 1:4]
set.seed(1)
fit <- randomForest::randomForest(Species ~ ., iris, ntree = 100)

#| randomForest | randomForest, probabilities, of factors | fit | d[1:5, c('wool', 'tension', 'n')] | prob | d
set.seed(1)
d <- transform(warpbreaks, n = seq_len(54) %% 7, many = factor(breaks > 26, labels = c('few', 'many')))
fit <- randomForest::randomForest(d[c('wool', 'tension', 'n')], d$many, ntree = 60)

#| randomForest | randomForest of a number, by factors, with a correction of the bias | fit | d[c(1, 60, 120), c('Species', 'Petal.Width', 'wide')]
set.seed(1)
d <- transform(iris, wide = cut(Sepal.Width, 3, ordered_result = TRUE))
fit <- randomForest::randomForest(Sepal.Length ~ Species + Petal.Width + wide, d, ntree = 50, corr.bias = TRUE)

#| ranger | ranger, probabilities | fit | iris[c(1, 60, 120), 1:4]
fit <- ranger::ranger(Species ~ ., iris, probability = TRUE, num.trees = 100, seed = 1)

#| ranger | ranger of classes, with partitions of a factor | fit | d[1:5, c('wool', 'tension', 'n')]
d <- transform(warpbreaks, n = seq_len(54) %% 7, many = factor(breaks > 26, labels = c('few', 'many')))
fit <- ranger::ranger(many ~ wool + tension + n, d, num.trees = 60, seed = 1, respect.unordered.factors = 'partition')

#| ranger | ranger of a number, by texts and factors | fit | d[1:5, c('wool', 'tension', 'n')]
d <- transform(warpbreaks, wool = as.character(wool), n = seq_len(54) %% 7)
fit <- ranger::ranger(breaks ~ wool + tension + n, d, num.trees = 60, seed = 1, respect.unordered.factors = 'order')

#| ranger | ranger of a number, with missing values | fit | airquality[1:8, c('Solar.R', 'Wind', 'Temp')]
d <- airquality[!is.na(airquality$Ozone), ]
fit <- ranger::ranger(Ozone ~ Solar.R + Wind + Temp, d, num.trees = 60, seed = 1)

#| glmnet | cv.glmnet | fit | head(as.matrix(mtcars[-1])) | | mtcars
set.seed(1)
fit <- glmnet::cv.glmnet(as.matrix(mtcars[-1]), mtcars$mpg)

#| glmnet | cv.glmnet (binomial) | fit | head(mtcars[c('mpg', 'wt', 'hp', 'qsec')]) | | mtcars
set.seed(1)
fit <- suppressWarnings(glmnet::cv.glmnet(as.matrix(mtcars[c('mpg', 'wt', 'hp', 'qsec')]), mtcars$am, family = 'binomial', nfolds = 4))

#| glmnet | cv.glmnet (binomial), labels | fit | iris[c(1, 60, 120), 1:4] | class | iris
set.seed(1)
fit <- glmnet::cv.glmnet(as.matrix(iris[1:4]), iris$Species == 'virginica', family = 'binomial')

#| glmnet | cv.glmnet (poisson) | fit | head(mtcars[c('mpg', 'wt', 'hp', 'qsec')]) | | mtcars
set.seed(1)
fit <- glmnet::cv.glmnet(as.matrix(mtcars[c('mpg', 'wt', 'hp', 'qsec')]), mtcars$carb, family = 'poisson')

#| glmnet | glmnet at one penalty | fit | head(mtcars[c('mpg', 'wt', 'hp', 'qsec')]) | | mtcars
fit <- glmnet::glmnet(as.matrix(mtcars[c('mpg', 'wt', 'hp', 'qsec')]), mtcars$disp, lambda = 2, alpha = 0.5)

#| glmnet | cv.glmnet (multinomial), labels | fit | iris[c(1, 60, 120), 1:4] | class | iris
set.seed(1)
fit <- glmnet::cv.glmnet(as.matrix(iris[1:4]), iris$Species, family = 'multinomial')

#| glmnet | glmnet of a family as an object (probit), at one penalty | fit | head(mtcars[c('mpg', 'wt', 'hp', 'qsec')]) | | mtcars
fit <- glmnet::glmnet(as.matrix(mtcars[c('mpg', 'wt', 'hp', 'qsec')]), mtcars$am, family = binomial('probit'), lambda = 0.05)

#| glmnet | glmnet without a coefficient but the intercept | fit | head(mtcars[c('wt', 'hp')]) | | mtcars
fit <- glmnet::glmnet(as.matrix(mtcars[c('wt', 'hp')]), mtcars$mpg, lambda = 1e6)

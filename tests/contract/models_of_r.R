# Models that people fit in R, for the contract tests and docs/supported-r-models.md. Each begins with a line of its package,
# its kind, and the expressions of model and example; the last field, if any, is the type of predict.

#| stats | lm, with a factor, a logical and poly() | fit | head(cars[c('wt', 'cyl', 'am')])
cars <- transform(mtcars, cyl = factor(cyl), am = am == 1, gear = as.integer(gear))
fit <- lm(mpg ~ poly(wt, 2) + cyl + am, cars)

#| stats | lm with functions and constants of the notebook | fit | head(cars[c('wt', 'hp')])
cars <- transform(mtcars, cyl = factor(cyl), am = am == 1, gear = as.integer(gear))
k <- 2
sq <- function(x) x^k
fit <- lm(mpg ~ sq(wt) + log(hp), cars)

#| stats | lm of texts | fit | d['s']
d <- data.frame(y = c(1, 2, 4, 5), s = c('a', 'b', 'a', 'b'))
fit <- lm(y ~ s, d)

#| stats | lm of dates | fit | head(d['day'])
d <- data.frame(y = 1:9 + 0.5, day = as.Date('2026-01-01') + (1:9)^2)
fit <- lm(y ~ day, d)

#| stats | glm (binomial), on the scale of the response | fit | head(cars['wt'])
cars <- transform(mtcars, cyl = factor(cyl), am = am == 1, gear = as.integer(gear))
fit <- glm(am ~ wt, binomial, cars)

#| stats | glm (poisson), method link | fit | warpbreaks[c(1, 10, 40), c('wool', 'tension')] | link
fit <- glm(breaks ~ wool + tension, poisson, warpbreaks)

#| stats | nls | fit | head(DNase['conc'])
fit <- nls(density ~ SSlogis(log(conc), Asym, xmid, scal), DNase)

#| stats | loess | fit | rbind(cars[10:14, 'speed', drop = FALSE], data.frame(speed = 99))
fit <- loess(dist ~ speed, cars)

#| stats | smooth.spline, of a vector | fit | cars$speed[1:5]
fit <- smooth.spline(cars$speed, cars$dist)

#| stats | ppr | fit | head(cars['speed'])
fit <- ppr(dist ~ speed, data = cars, nterms = 1)

#| stats | prcomp | fit | iris[c(1, 60, 120), 1:4]
fit <- prcomp(iris[1:4], scale. = TRUE)

#| stats | a function around kmeans | nearest | iris[c(1, 60, 120), 1:4]
set.seed(1)
km <- kmeans(iris[1:4], 3)
nearest <- function(df) apply(as.matrix(df), 1, function(row) which.min(colSums((t(km$centers) - row)^2)))

#| stats | a function that returns a data frame | bounds | head(cars['wt'])
cars <- transform(mtcars, cyl = factor(cyl), am = am == 1, gear = as.integer(gear))
fit <- lm(mpg ~ wt, cars)
bounds <- function(df) as.data.frame(predict(fit, df, interval = 'prediction'))

#| stats | an S3 class of the notebook, with its predict method | fit | head(cars['speed'])
fit <- structure(list(mean = 3), class = 'constant')
predict.constant <- function(object, newdata, ...) rep(object$mean, nrow(newdata))

#| stats | a function of times in a zone, whole numbers and missing values | hour | t
t <- data.frame(at = as.POSIXct('2026-03-29 01:30:00', tz = 'Europe/Berlin') + 0:2 * 3600, n = c(1L, NA, 3L), b = c(TRUE, NA, FALSE))
hour <- function(df) as.integer(format(df$at, '%H')) + df$n

#| splines | lm with bs() and ns() | fit | head(cars[c('wt', 'hp')])
cars <- transform(mtcars, cyl = factor(cyl), am = am == 1, gear = as.integer(gear))
library(splines)
fit <- lm(mpg ~ bs(wt, df = 4) + ns(hp, 3), cars)

#| MASS | lda: class, posterior and x of each row | fit | iris[c(1, 60, 120), 1:4]
library(MASS)
fit <- lda(Species ~ ., iris)

#| MASS | polr, method probs | fit | housing[c(1, 5, 20, 40), c('Infl', 'Type')] | probs
library(MASS)
fit <- polr(Sat ~ Infl + Type, housing, weights = Freq)

#| MASS | rlm | fit | head(cars[c('wt', 'hp')])
cars <- transform(mtcars, cyl = factor(cyl), am = am == 1, gear = as.integer(gear))
fit <- MASS::rlm(mpg ~ wt + hp, cars)

#| rpart | rpart, method class | fit | head(kyphosis[c('Age', 'Number', 'Start')]) | class
library(rpart)
fit <- rpart(Kyphosis ~ Age + Number + Start, kyphosis)

#| rpart | rpart, probabilities | fit | iris[c(1, 60, 120), 1:4] | prob
library(rpart)
fit <- rpart(Species ~ ., iris)

#| nnet | nnet | fit | head(cars['speed'])
set.seed(1)
library(nnet)
fit <- nnet(dist ~ speed, cars, size = 2, linout = TRUE, trace = FALSE)

#| nnet | multinom, method probs | fit | iris[c(1, 60, 120), 1:2] | probs
library(nnet)
fit <- multinom(Species ~ Sepal.Length + Sepal.Width, iris, trace = FALSE)

#| survival | coxph, method risk | fit | head(lung[c('age', 'sex')]) | risk
library(survival)
fit <- coxph(Surv(time, status) ~ age + sex, lung)

#| survival | survreg | fit | head(lung[c('age', 'sex')])
library(survival)
fit <- survreg(Surv(time, status) ~ age + sex, lung)

#| mgcv | gam | fit | head(air[c('Temp', 'Wind')])
library(mgcv)
air <- na.omit(airquality)
fit <- gam(Ozone ~ s(Temp) + s(Wind), data = air)

#| class | a function around knn | nearest | iris[c(1, 60, 120), 1:4]
library(class)
nearest <- function(df) knn(iris[1:4], df, iris$Species, k = 1)

#| nlme | lme | fit | transform(as.data.frame(head(Orthodont)), Subject = factor(Subject, ordered = FALSE))[c('age', 'Subject')]
library(nlme)
fit <- lme(distance ~ age, Orthodont, ~ 1 | Subject)

#| randomForest | randomForest | fit | iris[c(1, 60, 120), 1:4]
set.seed(1)
library(randomForest)
fit <- randomForest(Species ~ ., iris, ntree = 20)

#| ranger | ranger | fit | iris[c(1, 60, 120), 1:4]
library(ranger)
fit <- ranger(Species ~ ., iris, num.trees = 20, seed = 1, probability = TRUE, num.threads = 1)

#| glmnet | cv.glmnet of a matrix | fit | x[c(1, 60, 120), ]
set.seed(1)
library(glmnet)
x <- as.matrix(iris[1:3])
fit <- cv.glmnet(x, iris[[4]])

#| e1071 | svm | fit | iris[c(1, 60, 120), 1:4]
library(e1071)
fit <- svm(Species ~ ., iris)

#| e1071 | naiveBayes, method raw | fit | iris[c(1, 60, 120), 1:4] | raw
library(e1071)
fit <- naiveBayes(Species ~ ., iris)

#| earth | earth | fit | head(air[c('Temp', 'Wind')])
air <- na.omit(airquality)
library(earth)
fit <- earth(Ozone ~ Temp + Wind, air)

#| kernlab | ksvm | fit | iris[c(1, 60, 120), 1:4]
set.seed(1)
library(kernlab)
fit <- ksvm(Species ~ ., iris)

#| lme4 | lmer | fit | head(sleepstudy[c('Days', 'Subject')])
library(lme4)
fit <- lmer(Reaction ~ Days + (Days | Subject), sleepstudy)

#| caret | train (lm) | fit | head(cars[c('wt', 'hp')])
cars <- transform(mtcars, cyl = factor(cyl), am = am == 1, gear = as.integer(gear))
library(caret)
set.seed(1)
fit <- train(mpg ~ wt + hp, cars, method = 'lm')

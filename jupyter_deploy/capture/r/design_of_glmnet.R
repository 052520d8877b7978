# The design of glmnet and cv.glmnet: the coefficients at the penalty that predict uses.

nbdeploy_design_of_glmnet <- function(model, state) {
  fit <- if (inherits(model, "cv.glmnet")) model$glmnet.fit else model
  if (isTRUE(fit$offset)) stop("it was fitted with an offset, which is not translated")
  coefficients <- as.matrix(stats::coef(model))
  if (ncol(coefficients) != 1L) {
    stop("predict answers a column for each of its ", ncol(coefficients), " penalties; a cv.glmnet answers one")
  }
  names <- names(state$template)
  for (name in names) {
    kind <- nbdeploy_kind(state$template[[name]])
    if (!kind %in% c("double", "integer", "logical")) stop("its column '", name, "' is of type ", kind)
  }
  if (nrow(coefficients) != length(names) + 1L) stop("its coefficients are not those of the example's columns")
  link <- switch(class(fit)[1L], lognet = "logit", fishnet = "log", "identity")
  list(kind = "glmnet", columns = as.list(names), coefficients = nbdeploy_numbers(coefficients[, 1L]),
    answer = if (identical(state$type, "class")) "label" else if (identical(state$type, "response")) link else "identity",
    classes = if (link == "logit") as.list(fit$classnames))
}

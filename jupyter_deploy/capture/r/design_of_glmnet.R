# The design of glmnet and cv.glmnet: the coefficients at the penalty that predict uses.

nbdeploy_design_of_glmnet <- function(model, state) {
  fit <- if (inherits(model, "cv.glmnet")) model$glmnet.fit else model
  if (isTRUE(fit$offset)) stop("it was fitted with an offset, which is not translated")
  given <- stats::coef(model)
  coefficients <- lapply(if (is.list(given)) given else list(given), as.matrix)  # of several classes a list
  width <- ncol(coefficients[[1L]])
  if (width != 1L) stop("predict answers a column for each of its ", width, " penalties; a cv.glmnet answers one")
  own <- switch(class(fit)[1L], lognet = "logit of glmnet", fishnet = "log of glmnet", glmnetfit = nbdeploy_link(fit$family), "identity")
  names <- names(state$template)
  for (name in names) {
    kind <- nbdeploy_kind(state$template[[name]])
    if (!kind %in% c("double", "integer", "logical")) stop("its column '", name, "' is of type ", kind, ", and it takes numbers")
  }
  if (nrow(coefficients[[1L]]) != length(names) + 1L) stop("its coefficients are not those of the example's columns")
  list(kind = "glmnet", columns = as.list(names), coefficients = lapply(base::unname(coefficients), function(one) nbdeploy_numbers(one[, 1L])),
    answer = if (identical(state$type, "class")) "label" else "number", link = if (identical(state$type, "response")) own else "identity",
    classes = as.list(fit$classnames))
}

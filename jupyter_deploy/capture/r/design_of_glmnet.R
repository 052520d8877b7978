# The design of glmnet and cv.glmnet: the coefficients at the penalty that predict uses.

nbdeploy_design_of_glmnet <- function(model, state) {
  fit <- if (inherits(model, "cv.glmnet")) model$glmnet.fit else model
  if (isTRUE(fit$offset)) stop("it was fitted with an offset, which is not translated")
  given <- stats::coef(model)
  given <- base::unname(if (is.list(given)) given else list(given))  # of several classes a list
  coefficients <- lapply(given, as.matrix)
  width <- ncol(coefficients[[1L]])
  if (width != 1L) stop("predict answers a column for each of its ", width, " penalties; a cv.glmnet answers one")
  own <- switch(class(fit)[1L], lognet = "logit of glmnet", fishnet = "log of glmnet", glmnetfit = nbdeploy_link(fit$family), "identity")
  names <- names(state$template)
  for (name in names) {
    kind <- nbdeploy_kind(state$template[[name]])
    if (!kind %in% c("double", "integer", "logical")) stop("its column '", name, "' is of type ", kind, ", and it takes numbers")
  }
  if (nrow(coefficients[[1L]]) != length(names) + 1L) stop("its coefficients are not those of the example's columns")
  list(kind = "glmnet", columns = as.list(names), coefficients = lapply(coefficients, function(one) nbdeploy_numbers(one[-1L, 1L])),
    start = lapply(coefficients, function(one) nbdeploy_numbers(one[1L, 1L])[[1L]]), used = lapply(given, nbdeploy_stored),
    answer = if (identical(state$type, "class")) "label" else "number", link = if (identical(state$type, "response")) own else "identity",
    classes = as.list(fit$classnames))
}

# The columns (from 0) that the product with R's own matrix of coefficients reads: where it is sparse, a missing value in
# another column does not matter.
nbdeploy_stored <- function(coefficients) {
  rows <- if (methods::is(coefficients, "sparseMatrix")) methods::slot(coefficients, "i") else seq_len(nrow(coefficients)) - 1L
  as.list(rows[rows > 0L] - 1L)
}

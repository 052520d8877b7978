# The design of a fit, for its translation: what predict makes of a row, as plain values. Base R alone.
# Numbers are texts in hexadecimal, which keep each bit; those of trees are vectors, in `arrays`. base::unname: Matrix,
# which glmnet attaches, has a generic of this name that rewrites the errors of its argument.

# A list; of a model that cannot be described so, its `refused` is the reason.
nbdeploy_design <- function(state) {
  tryCatch(nbdeploy_design_of(state), error = function(error) list(refused = conditionMessage(error)))
}

# How a design is made, and the types of predict that it can have, by the classes of the model; NULL: any other class.
nbdeploy_translated_kind <- function(model) {
  switch(paste(class(model), collapse = " "),
    lm = list(design = nbdeploy_design_of_linear, types = "response"),
    `glm lm` = list(design = nbdeploy_design_of_linear, types = c("response", "link")),
    rpart = list(design = nbdeploy_design_of_rpart, types = c("vector", "prob", "class")),
    `randomForest.formula randomForest` = , randomForest = list(design = nbdeploy_design_of_random_forest,
      types = c("response", "class", "prob", "vote")),
    ranger = list(design = nbdeploy_design_of_ranger, types = "response"),
    `elnet glmnet` = , `fishnet glmnet` = ,
    `glmnetfit glmnet` = list(design = nbdeploy_design_of_glmnet, types = c("response", "link")),
    `multnet glmnet` = list(design = nbdeploy_design_of_glmnet, types = "class"),
    `lognet glmnet` = list(design = nbdeploy_design_of_glmnet, types = c("response", "link", "class")))
}

nbdeploy_design_of <- function(state) {
  model <- state$model
  known <- "those of lm, glm, rpart, randomForest, ranger and glmnet are"
  if (state$style == "function") stop("a function of R is not translated; the models", sub("^those", "", known))
  fit <- if (identical(class(model), "cv.glmnet")) model$glmnet.fit else model
  kind <- nbdeploy_translated_kind(fit)
  if (is.null(kind)) stop("models of class ", class(fit)[1L], " are not translated; ", known)
  if (state$input == "vector" || state$input == "matrix" && state$style != "matrix") stop("its example is no data frame")
  if (!is.null(state$type) && !state$type %in% kind$types) stop("the type '", state$type, "' of predict is not translated")
  own <- intersect(paste0("predict.", c(class(model), "glm")), names(state$globals))
  if (length(own)) stop("the notebook has its own ", own[1L])
  kind$design(model, state)
}

nbdeploy_design_of_linear <- function(model, state) {
  response <- inherits(model, "glm") && identical(state$type, "response")
  nbdeploy_linear(model, state$template, if (response) nbdeploy_link(stats::family(model)) else "identity")
}

nbdeploy_link <- function(family) {
  known <- c("logit", "probit", "cloglog", "identity", "log", "sqrt", "1/mu^2", "inverse")
  if (!family$link %in% known) stop("the link '", family$link, "' is not translated")
  if (!identical(deparse(family$linkinv), deparse(stats::make.link(family$link)$linkinv))) {
    stop("its family has a link of its own, named '", family$link, "'")
  }
  family$link
}

nbdeploy_linear <- function(model, template, link) {
  terms <- stats::delete.response(stats::terms(model))
  variables <- as.list(attr(terms, "variables"))[-1L]
  evaluated <- as.list(if (is.null(attr(terms, "predvars"))) attr(terms, "variables") else attr(terms, "predvars"))[-1L]
  labels <- vapply(variables, function(code) paste(deparse(code, width.cutoff = 500L, backtick = !is.symbol(code)), collapse = " "), "")
  scope <- list(template = template, environment = environment(terms))
  offsets <- attr(terms, "offset")
  coded <- setdiff(seq_along(variables), offsets)
  described <- lapply(coded, function(place) nbdeploy_in_term(labels[place],
    nbdeploy_variable(evaluated[[place]], labels[place], attr(terms, "dataClasses")[[labels[place]]], model, scope)))
  added <- lapply(evaluated[offsets], function(code) nbdeploy_in_term(deparse(code)[1L], nbdeploy_expression(code, scope)))
  argument <- if (!is.null(model$call$offset)) {
    list(nbdeploy_in_term("offset", nbdeploy_expression(model$call$offset, scope)))
  }
  coefficients <- stats::coef(model)
  list(kind = "linear", link = link, intercept = attr(terms, "intercept") == 1L, variables = described,
    terms = nbdeploy_terms(terms, coded, vapply(described, function(one) one$kind, "")),
    coefficients = base::unname(as.list(ifelse(is.na(coefficients), NA_character_, sprintf("%a", coefficients)))),
    offsets = c(added, argument))
}

nbdeploy_in_term <- function(label, described) {
  tryCatch(described, error = function(error) stop("its term '", label, "' ", conditionMessage(error), call. = FALSE))
}

# Each term: its label, its variables (from 0), and whether each is coded in full dummies.
nbdeploy_terms <- function(terms, coded, kinds) {
  factors <- attr(terms, "factors")
  if (!length(factors)) return(list())
  coding <- base::unname(factors)[coded, , drop = FALSE]
  categorical <- kinds %in% c("levels", "logical")
  if (attr(terms, "intercept") == 0L) {  # model.matrix codes the first one in full
    for (term in seq_len(ncol(coding))) {
      first <- which(coding[, term] > 0L & categorical)
      if (length(first)) {
        coding[first[1L], term] <- 2L
        break
      }
    }
  }
  lapply(seq_len(ncol(coding)), function(term) {
    used <- which(coding[, term] > 0L)
    list(label = colnames(factors)[term], variables = as.list(used - 1L),
      full = as.list(coding[used, term] == 2L & categorical[used]))
  })
}

# One variable of the formula. kind: number (a column of the design), logical, levels, poly and powers (several columns).
nbdeploy_variable <- function(code, label, class, model, scope) {
  if (is.null(class)) stop("is of no known class")
  if (class %in% c("factor", "ordered", "character")) {
    levels <- model$xlevels[[label]]
    if (is.null(levels)) stop("has no levels in the fit")
    return(list(kind = "levels", column = nbdeploy_category(code, scope), levels = as.list(levels),
      contrasts = nbdeploy_contrasts(model$contrasts[[label]], levels)))
  }
  if (class == "logical") {
    return(list(kind = "logical", expression = nbdeploy_expression(code, scope),
      contrasts = nbdeploy_contrasts(model$contrasts[[label]], c(FALSE, TRUE))))
  }
  if (is.call(code) && nbdeploy_called_function(code, scope) == "poly") return(nbdeploy_poly(code, scope))
  if (!class %in% c("numeric", "nmatrix.1")) stop("is of class ", class, ", which is not translated")
  list(kind = "number", expression = nbdeploy_expression(code, scope))
}

# The rows of a factor's contrasts, a level each.
nbdeploy_contrasts <- function(value, levels) {
  coded <- factor(levels, levels = levels)
  stats::contrasts(coded) <- value
  made <- stats::contrasts(coded)
  lapply(seq_len(nrow(made)), function(row) nbdeploy_numbers(made[row, ]))
}

nbdeploy_numbers <- function(values) {
  if (!all(is.finite(values))) stop("has a constant that is no finite number")
  base::unname(as.list(sprintf("%a", as.double(values))))
}

# The column of a factor: by its name, or in factor() and as.factor() without further arguments.
nbdeploy_category <- function(code, scope) {
  if (is.call(code) && nbdeploy_called_function(code, scope) %in% c("factor", "as.factor") && length(code) == 2L) code <- code[[2L]]
  if (!is.name(code) || !as.character(code) %in% names(scope$template)) {
    stop("is a factor that the formula makes, which is not translated")
  }
  kind <- nbdeploy_kind(scope$template[[as.character(code)]])
  if (!kind %in% c("text", "factor", "ordered")) stop("makes a factor of a column of type ", kind, ", which is not translated")
  as.character(code)
}

nbdeploy_poly <- function(code, scope) {
  given <- match.call(stats::poly, code, expand.dots = FALSE)
  degree <- if (!is.null(given$degree)) given$degree else if (length(given$...)) given$...[[1L]] else 1
  several <- length(given$...) > is.null(given$degree) || !is.null(names(given$...)) || !is.null(given$simple)
  if (several || !is.numeric(degree <- tryCatch(eval(degree, scope$environment), error = function(error) NULL))
    || length(degree) != 1L) stop("calls poly with more than degree and raw")
  x <- nbdeploy_expression(given$x, scope)
  if (isTRUE(eval(given$raw, scope$environment))) return(list(kind = "powers", expression = x, degree = degree))
  constants <- eval(given$coefs, scope$environment)
  list(kind = "poly", expression = x, alpha = nbdeploy_numbers(constants$alpha), norm2 = nbdeploy_numbers(constants$norm2))
}

nbdeploy_translated_functions <- list(
  base = c("(", "+", "-", "*", "/", "^", "<", ">", "<=", ">=", "==", "!=", "I", "log", "log2", "log10", "log1p", "exp",
    "expm1", "sqrt", "abs", "sin", "cos", "scale", "factor", "as.factor"),
  stats = c("offset", "poly"))

# The name of R's own function that code calls, if it can be translated.
nbdeploy_called_function <- function(code, scope) {
  head <- code[[1L]]
  if (is.call(head) && as.character(head[[1L]]) == "::") head <- head[[3L]]
  name <- if (is.name(head)) as.character(head) else "a function without a name"
  package <- names(which(vapply(nbdeploy_translated_functions, function(names) name %in% names, NA)))
  if (!length(package)) stop("calls ", name, ", which is not translated")
  found <- get(name, scope$environment, mode = "function")
  if (!identical(found, get(name, asNamespace(package)))) stop("calls a function ", name, " of the notebook's own")
  name
}

# Code as a tree: a column, a constant, or a function of such; `whole`: R computes in whole numbers there.
nbdeploy_expression <- function(code, scope) {
  if (is.name(code)) return(nbdeploy_read(as.character(code), scope))
  if (!is.call(code)) return(nbdeploy_constant(code))
  name <- nbdeploy_called_function(code, scope)
  if (name %in% c("factor", "as.factor", "poly")) stop("calls ", name, " within an expression, which is not translated")
  if (name %in% c("I", "(", "offset") || name == "+" && length(code) == 2L) return(nbdeploy_expression(code[[2L]], scope))
  if (name == "log") {
    given <- match.call(function(x, base = exp(1)) NULL, code)
    parts <- list(given$x, given$base)[c(TRUE, !is.null(given$base))]
  } else if (name == "scale") {
    given <- match.call(scale, code)
    centre <- eval(given$center, scope$environment)
    size <- eval(given$scale, scope$environment)
    parts <- list(given$x, if (is.numeric(centre)) centre else 0, if (is.numeric(size)) size else 1)
  } else parts <- as.list(code)[-1L]
  if (!is.null(names(parts)) && any(nzchar(names(parts)) & names(parts) != "x")) stop("names arguments of ", name)
  parts <- base::unname(lapply(parts, nbdeploy_expression, scope))
  whole <- name %in% c("+", "-", "*", "abs") && all(vapply(parts, function(part) part$whole, NA)) ||
    name %in% c("<", ">", "<=", ">=", "==", "!=")
  list(call = name, parts = parts, whole = whole)
}

nbdeploy_read <- function(name, scope) {
  if (!name %in% names(scope$template)) {
    value <- get0(name, scope$environment)
    if (is.null(value) || is.function(value)) stop("reads '", name, "', which is no column of the example")
    return(nbdeploy_constant(value))
  }
  kind <- nbdeploy_kind(scope$template[[name]])
  if (!kind %in% c("double", "integer", "logical")) stop("computes with '", name, "', a column of type ", kind)
  list(column = name, whole = kind != "double")
}

nbdeploy_constant <- function(value) {
  if (length(value) != 1L || !is.null(attributes(value)) || !(is.numeric(value) || is.logical(value))) {
    stop("reads a value that is no single number")
  }
  list(number = nbdeploy_numbers(value)[[1L]], whole = !is.double(value))
}

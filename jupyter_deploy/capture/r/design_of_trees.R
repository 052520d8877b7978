# The designs of rpart, randomForest and ranger: their variables, and their trees as vectors.

# The variables of a formula: number (an expression), or levels (a column, whose codes count from 1).
# levels: those of the fit by label. unknown: refused, or the code after the last one.
nbdeploy_tree_variables <- function(terms, template, levels) {
  if (length(attr(terms, "offset"))) stop("its formula has an offset, which is not translated")
  evaluated <- as.list(if (is.null(attr(terms, "predvars"))) attr(terms, "variables") else attr(terms, "predvars"))[-1L]
  scope <- list(template = template, environment = environment(terms))
  labels <- vapply(as.list(attr(terms, "variables"))[-1L], function(code) paste(deparse(code, 500L), collapse = " "), "")
  lapply(seq_along(labels), function(place) {
    label <- labels[place]
    class <- attr(terms, "dataClasses")[[label]]
    name <- sub("^`(.*)`$", "\\1", label)
    nbdeploy_in_term(label, {
      if (class %in% c("factor", "ordered", "character")) {
        if (!length(levels[[name]])) stop("has no levels in the fit")
        list(label = name, kind = "levels", column = nbdeploy_category(evaluated[[place]], scope), levels = as.list(levels[[name]]),
          unknown = "refused")
      } else if (class %in% c("numeric", "logical")) {
        list(label = name, kind = "number", expression = nbdeploy_expression(evaluated[[place]], scope))
      } else stop("is of class ", class, ", which is not translated")
    })
  })
}

# The same of a model that takes columns by name.
nbdeploy_tree_columns <- function(names, template, levels, unknown) {
  lapply(names, function(name) {
    kind <- nbdeploy_kind(template[[name]])
    if (kind %in% c("double", "integer", "logical")) {
      list(label = name, kind = "number", expression = list(column = name, whole = kind != "double"))
    } else if (kind %in% c("factor", "ordered", "text") && length(levels[[name]])) {
      list(label = name, kind = "levels", column = name, levels = as.list(levels[[name]]), unknown = unknown)
    } else stop("its column '", name, "' is of type ", kind, ", which is not translated")
  })
}

nbdeploy_labels_of <- function(variables) vapply(variables, function(one) one$label, "")

# The answer of each node is a row of `answers`. splits: the primary, competing and surrogate ones of all nodes.
nbdeploy_design_of_rpart <- function(model, state) {
  variables <- nbdeploy_tree_variables(stats::delete.response(stats::terms(model)), state$template, attr(model, "xlevels"))
  frame <- model$frame
  classes <- attr(model, "ylevels")
  type <- if (!is.null(state$type)) state$type else if (length(classes)) "prob" else "vector"
  if (type %in% c("prob", "class") && !length(classes)) stop("the type '", type, "' needs classes, and it has none")
  answers <- if (type == "prob") frame$yval2[, 1L + length(classes) + seq_along(classes)]
    else frame$yval
  splits <- if (is.null(model$splits)) matrix(0, 0L, 4L) else model$splits
  used <- match(rownames(splits), nbdeploy_labels_of(variables)) - 1L
  if (anyNA(used)) stop("it splits by a term that has several columns, which is not translated")
  sizes <- (frame$var != "<leaf>") + frame$ncompete + frame$nsurrogate
  list(kind = "rpart", variables = variables, labels = if (type == "class") as.list(classes),
    width = NCOL(answers), surrogates = model$control$usesurrogate, categories = max(0L, ncol(model$csplit)),
    arrays = list(number = as.integer(row.names(frame)), rows = frame$n, leaf = frame$var == "<leaf>",
      first = cumsum(c(0L, sizes))[seq_len(nrow(frame))], competing = frame$ncompete, surrogate = frame$nsurrogate,
      variable = used, categories = splits[, 2L], point = splits[, 4L],
      directions = if (!is.null(model$csplit)) t(model$csplit - 2L), answers = t(as.matrix(answers))))
}

# Nodes count from 0 within their tree; left is -1 at a leaf. set: the levels that go left, as bits.
nbdeploy_design_of_random_forest <- function(model, state) {
  forest <- model$forest
  if (is.null(forest)) stop("it was fitted without keep.forest")
  if (model$type == "unsupervised") stop("an unsupervised forest is not translated")
  names <- names(forest$ncat)
  levels <- forest$xlevels[vapply(forest$xlevels, is.character, NA)]
  formula <- inherits(model, "randomForest.formula")
  ordered <- Filter(is.ordered, state$template)  # a formula takes their codes, and forgets the levels
  levels <- c(levels, lapply(ordered[setdiff(names(ordered), names(levels))], base::levels))
  variables <- if (formula) nbdeploy_tree_variables(stats::delete.response(stats::terms(model)), state$template, levels)
    else nbdeploy_tree_columns(names, state$template, levels, "refused")
  variables <- variables[match(names, nbdeploy_labels_of(variables))]
  for (variable in variables) {
    if (variable$kind == "number") next
    given <- levels(state$template[[variable$column]])
    if (!identical(given, unlist(variable$levels))) {
      stop("its column '", variable$column, "' has not the levels of the fit in their order; make it a factor with these")
    }
  }
  nodes <- rep(seq_len(forest$nrnodes), forest$ntree) <= rep(forest$ndbigtree, each = forest$nrnodes)
  taken <- function(values) as.vector(values)[nodes]
  classifies <- model$type == "classification"
  left <- taken(if (classifies) forest$treemap[, 1L, ] else forest$leftDaughter) - 1L
  right <- taken(if (classifies) forest$treemap[, 2L, ] else forest$rightDaughter) - 1L
  leaf <- taken(forest$nodestatus) == -1L
  variable <- taken(forest$bestvar) - 1L
  sets <- !leaf & forest$ncat[pmax(variable, 0L) + 1L] > 1L
  chosen <- if (!classifies) "mean" else if (any(state$type %in% c("prob", "vote"))) "votes" else "label"
  list(kind = "forest", variables = variables, answer = chosen, classes = if (classifies) as.list(model$classes),
    cutoff = if (classifies) nbdeploy_numbers(forest$cutoff), line = if (!is.null(model$coefs)) nbdeploy_numbers(model$coefs),
    missing = if (formula) "no answer" else "refused", arrays = list(sizes = forest$ndbigtree, left = ifelse(leaf, -1L, left),
      right = right, variable = variable, point = taken(forest$xbestsplit), set = sets, missing_left = FALSE & leaf,
      answers = taken(forest$nodepred) - classifies))
}

# set: the levels that go right, as bits.
nbdeploy_design_of_ranger <- function(model, state) {
  forest <- model$forest
  if (is.null(forest)) stop("it was fitted without write.forest")
  if (forest$treetype == "Survival") stop("a survival forest is not translated")
  if (!identical(state$fields, "predictions")) stop("predict answers more than its predictions")
  if (!is.null(forest$dependent.varID)) stop("it was fitted by an older ranger, which is not translated")
  names <- forest$independent.variable.names
  variables <- nbdeploy_tree_columns(names, state$template, stats::setNames(forest$covariate.levels, names), "after")
  left <- unlist(lapply(forest$child.nodeIDs, function(children) children[[1L]]))
  right <- unlist(lapply(forest$child.nodeIDs, function(children) children[[2L]]))
  leaf <- left == 0 & right == 0
  # A third vector, of a fit with missing values, is the child to which they go; 0, as without it: to the left.
  missing <- unlist(lapply(forest$child.nodeIDs, function(children) {
    if (length(children) > 2L) children[[3L]] else rep(0, length(children[[1L]]))
  }))
  variable <- unlist(forest$split.varIDs)
  point <- unlist(forest$split.values)
  classes <- forest$levels
  values <- forest$class.values
  if (forest$treetype == "Classification" && is.null(classes)) stop("it has classes that are numbers; make the response a factor")
  answers <- switch(forest$treetype, Regression = , Classification = point - (forest$treetype == "Classification"),
    unlist(forest$terminal.class.counts))
  chosen <- switch(forest$treetype, Regression = "mean", Classification = "label", "means")
  order <- if (chosen == "means") if (is.null(classes)) seq_along(values) else match(sort(values), values)
  list(kind = "forest", variables = variables, answer = chosen, classes = if (chosen == "label") as.list(classes),
    cutoff = if (chosen == "label") as.list(rep(sprintf("%a", 1), length(classes))), order = as.list(order - 1L),
    missing = "by node", arrays = list(sizes = lengths(forest$split.varIDs), left = ifelse(leaf, -1L, left), right = right,
      variable = variable, point = point, set = !leaf & !forest$is.ordered[variable + 1L], missing_left = missing != right,
      answers = answers))
}

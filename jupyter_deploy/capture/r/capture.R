# Capture in R's kernel: writes model, example and the kernel's own answers into a folder. Base R and jsonlite, which R's
# kernel needs itself; answers.R and
# design.R are loaded next to it.

nbdeploy_default_packages <- c("base", "methods", "datasets", "utils", "grDevices", "graphics", "stats")

nbdeploy_refuse <- function(code, message, remedy) {
  stop(structure(class = c("nbdeploy_refusal", "error", "condition"),
    list(message = message, call = NULL, code = code, remedy = remedy)))
}

nbdeploy_evaluate <- function(what, expression, code) {
  parsed <- tryCatch(parse(text = expression, keep.source = FALSE), error = function(error) nbdeploy_refuse(code,
    paste0("--", what, " is no expression of R: ", expression), "write it as in a cell, such as 'head(X, 5)'"))
  tryCatch({
    value <- NULL
    for (part in as.list(parsed)) value <- eval(part, globalenv())
    value
  }, error = function(error) nbdeploy_refuse(code,
    paste0("--", what, " '", expression, "' fails in the notebook's kernel: ", conditionMessage(error)),
    "name what the notebook's cells make"))
}

# The example as a data frame, and its form: frame, matrix or vector.
nbdeploy_example <- function(example) {
  remedy <- "pass a few rows of a data frame, such as --example 'head(X, 5)'"
  if (is.data.frame(example)) made <- list(input = "frame", frame = as.data.frame(example, stringsAsFactors = FALSE))
  else if (is.matrix(example) && (is.numeric(example) || is.logical(example))) {
    made <- list(input = "matrix", frame = as.data.frame(example))
  }
  else if (is.atomic(example) && is.null(dim(example)) && !is.null(example)) {
    made <- list(input = "vector", frame = data.frame(x = example))
  }
  else nbdeploy_refuse("invalid_example", paste0("the example is of class ", class(example)[1L], ", not a data frame"), remedy)
  if (!nrow(made$frame)) nbdeploy_refuse("invalid_example", "the example is empty", remedy)
  for (name in names(made$frame)) {
    values <- made$frame[[name]]
    problem <- tryCatch({ nbdeploy_kind(values); NULL }, error = conditionMessage)
    if (!is.null(problem)) nbdeploy_refuse("invalid_example",
      paste0("the example's column '", name, "' ", problem, ", which a request cannot restore"),
      "use numbers, whole numbers, logical values, texts, factors, Date or POSIXct, and make other objects in the model")
    attributes(values) <- attributes(values)[intersect(names(attributes(values)), c("levels", "class", "tzone"))]
    if (inherits(values, "Date") || inherits(values, "POSIXct")) storage.mode(values) <- "double"
    made$frame[[name]] <- values
  }
  row.names(made$frame) <- NULL
  made
}

# What a model needs of the notebook: globals by name, and packages to load and to attach.
nbdeploy_needs <- function(model, columns) {
  found <- new.env()
  found$globals <- list()
  found$loaded <- found$attached <- character()
  found$seen <- list()
  found$count <- 0L
  nbdeploy_visit(model, found, columns)
  attached <- sub("^package:", "", grep("^package:", search(), value = TRUE))
  list(globals = found$globals, loaded = setdiff(unique(found$loaded), nbdeploy_default_packages),
    attached = setdiff(attached[attached %in% found$attached], nbdeploy_default_packages))
}

nbdeploy_visit <- function(value, found, columns) {
  found$count <- found$count + 1L
  if (found$count > 200000L) return(invisible())
  switch(typeof(value),
    environment = nbdeploy_visit_environment(value, found, columns),
    closure = nbdeploy_visit_function(value, found, columns),
    list = for (part in unclass(value)) if (!missing(part)) nbdeploy_visit(part, found, columns),
    language = if (inherits(value, "formula")) {
      nbdeploy_visit_names(value[[length(value)]], found, columns)
      if (!is.null(environment(value))) nbdeploy_visit(environment(value), found, columns)
    })
  if (is.object(value)) nbdeploy_visit_class(value, found, columns)
  if (typeof(value) %in% c("list", "S4")) {
    parts <- attributes(value)
    for (part in parts[setdiff(names(parts), c("names", "class", "row.names", "dim", "dimnames"))]) {
      nbdeploy_visit(part, found, columns)
    }
  }
}

nbdeploy_visit_environment <- function(value, found, columns) {
  if (identical(value, globalenv()) || identical(value, emptyenv()) || identical(value, baseenv())) return(invisible())
  if (isNamespace(value)) {
    found$loaded <- c(found$loaded, getNamespaceName(value))
    return(invisible())
  }
  name <- environmentName(value)
  if (startsWith(name, "package:")) {
    found$attached <- c(found$attached, sub("^package:", "", name))
    return(invisible())
  }
  for (known in found$seen) if (identical(known, value)) return(invisible())
  found$seen <- c(found$seen, list(value))
  for (inner in as.list(value, all.names = TRUE)) if (!missing(inner)) nbdeploy_visit(inner, found, columns)
  nbdeploy_visit(parent.env(value), found, columns)
}

nbdeploy_visit_function <- function(value, found, columns) {
  home <- topenv(environment(value))
  if (isNamespace(home) && !identical(home, globalenv())) {
    found$loaded <- c(found$loaded, getNamespaceName(home))
    return(invisible())
  }
  for (part in c(as.list(formals(value)), body(value))) {
    if (!missing(part)) nbdeploy_visit_names(part, found, names(formals(value)))
  }
  if (!is.null(environment(value))) nbdeploy_visit(environment(value), found, columns)
}

nbdeploy_visit_class <- function(value, found, columns) {
  package <- attr(class(value), "package")
  if (!is.null(package) && package == ".GlobalEnv") nbdeploy_refuse("not_capturable",
    paste0("the class ", class(value)[1L], " is defined in the notebook by setClass, which cannot be captured"),
    "define the class in a package, or deploy a function")
  if (!is.null(package)) nbdeploy_need_package(package, found)
  for (class in class(value)) {
    method <- tryCatch(utils::getS3method("predict", class, optional = TRUE, envir = globalenv()), error = function(e) NULL)
    name <- paste0("predict.", class)
    if (exists(name, globalenv(), inherits = FALSE)) nbdeploy_need_global(name, found)
    else if (is.function(method)) nbdeploy_visit(method, found, columns)
  }
}

nbdeploy_need_package <- function(package, found) {
  if (paste0("package:", package) %in% search()) found$attached <- c(found$attached, package)
  else found$loaded <- c(found$loaded, package)
}

nbdeploy_need_global <- function(name, found) {
  if (!is.null(found$globals[[name]])) return(invisible())
  value <- get(name, globalenv(), inherits = FALSE)
  if (is.null(value)) return(invisible())
  found$globals[[name]] <- value
  nbdeploy_visit(value, found, character())
}

# Names in code, without its own variables; package::name loads the package.
nbdeploy_visit_names <- function(code, found, own) {
  nbdeploy_visit_scopes(code, found)
  names <- setdiff(all.names(code, unique = TRUE), c(own, nbdeploy_assigned(code)))
  for (name in names) {
    if (exists(name, globalenv(), inherits = FALSE)) {
      if (!startsWith(name, ".__") && !bindingIsActive(name, globalenv())) nbdeploy_need_global(name, found)
    } else {
      at <- search()[vapply(search(), function(entry) exists(name, entry, inherits = FALSE), NA)]
      if (length(at) && startsWith(at[1L], "package:")) found$attached <- c(found$attached, sub("^package:", "", at[1L]))
    }
  }
}

nbdeploy_visit_scopes <- function(code, found) {
  if (!is.call(code)) return(invisible())
  if (is.name(code[[1L]]) && as.character(code[[1L]]) %in% c("::", ":::") && length(code) == 3L) {
    found$loaded <- c(found$loaded, as.character(code[[2L]]))
  }
  for (part in as.list(code)) if (!missing(part)) nbdeploy_visit_scopes(part, found)
}

nbdeploy_assigned <- function(code) {
  if (!is.call(code)) return(character())
  inner <- unlist(lapply(as.list(code), function(part) if (!missing(part)) nbdeploy_assigned(part)))
  operator <- if (is.name(code[[1L]])) as.character(code[[1L]]) else ""
  if (operator %in% c("<-", "=", "for") && length(code) >= 3L && is.name(code[[2L]])) c(inner, as.character(code[[2L]]))
  else if (operator == "function") c(inner, names(code[[2L]]))
  else inner
}

# Whether R finds a method of predict for a model, of S3 or S4.
nbdeploy_has_method <- function(model) {
  own <- if (isS4(model)) methods::is(model) else class(model)
  for (class in own) {
    if (is.function(utils::getS3method("predict", class, optional = TRUE, envir = globalenv()))) return(TRUE)
  }
  if (!isS4(model)) return(FALSE)
  homes <- c(list(globalenv()), lapply(intersect(attr(class(model), "package"), loadedNamespaces()), asNamespace))
  any(vapply(homes, function(home) isTRUE(tryCatch(methods::existsFunction("predict", where = home) &&
    methods::isGeneric("predict", home) && methods::hasMethod("predict", class(model), home), error = function(e) FALSE)), NA))
}

# The package that makes objects of a model's class, as far as the model tells; NULL: unknown.
nbdeploy_package_of <- function(model) {
  package <- attr(class(model), "package")
  if (!is.null(package) && package != ".GlobalEnv") return(package)
  made <- if (is.list(model) && is.call(model[["call"]])) model[["call"]][[1L]]
  if (is.call(made) && as.character(made[[1L]]) %in% c("::", ":::")) return(as.character(made[[2L]]))
  own <- c(if (is.name(made)) as.character(made), class(model))
  installed <- own[nzchar(vapply(own, function(name) system.file(package = name), ""))]
  if (length(installed)) installed[1L]
}

nbdeploy_refuse_class <- function(name, model) {
  package <- nbdeploy_package_of(model)
  message <- paste0("R finds no method of predict for '", name, "', of class ", class(model)[1L])
  if (is.null(package)) nbdeploy_refuse("not_capturable", paste0(message, ": its package is not loaded, or is not installed"),
    "load the package that made it by library(), after install.packages() if it is missing")
  missing <- !nzchar(system.file(package = package))
  nbdeploy_refuse("not_capturable", paste0(message, ": its package ", package, if (missing) " is not installed" else " is not loaded"),
    paste0("run in a cell: ", if (missing) paste0("install.packages(\"", package, "\"); "), "library(", package, ")"))
}

# The texts that a model knows, by column: those of the fit.
nbdeploy_levels <- function(model, frame) {
  known <- if (is.list(model)) model[["xlevels"]]
  known <- known[intersect(names(known), names(frame)[vapply(frame, is.character, NA)])]
  stats::setNames(lapply(known, function(levels) as.list(as.character(levels))), as.character(names(known)))
}

# The table of the fit: the named one, else the data of the model's call.
nbdeploy_training <- function(model, named, columns) {
  if (!is.null(named)) {
    table <- nbdeploy_evaluate("training", named, "invalid_input")
    if (!is.data.frame(table)) nbdeploy_refuse("invalid_input",
      paste0("--training '", named, "' is of class ", class(table)[1L], ", not a data frame"), "name the data frame of the fit")
    return(table)
  }
  call <- if (is.list(model) && is.call(model$call)) model$call
  # ranger keeps its call as it was written, without the names of the arguments.
  call <- tryCatch(match.call(eval(call[[1L]], globalenv()), call), error = function(error) call)
  table <- tryCatch(eval(call$data, globalenv()), error = function(error) NULL)
  if (is.data.frame(table) && all(columns %in% names(table))) table
}

nbdeploy_features <- function(model) {
  own <- if (isS4(model) && methods::.hasSlot(model, "terms")) methods::slot(model, "terms") else model
  terms <- tryCatch(stats::delete.response(stats::terms(own)), error = function(error) NULL)
  if (!is.null(terms)) all.vars(terms)
}

nbdeploy_write_frame <- function(frame, file) {
  keep <- vapply(frame, function(values) !inherits(try(nbdeploy_kind(values), silent = TRUE), "try-error"), NA)
  if (!any(keep)) return(invisible())
  frame <- as.data.frame(frame)[keep]
  writeBin(nbdeploy_encode(frame, nrow(frame)), file)
}

nbdeploy_answers <- function(state, frame, file) {
  answer <- tryCatch(
    suppressWarnings(nbdeploy_encode(
      nbdeploy_ask(state$model, frame, state$style, state$type, state$input), nrow(frame), state$fields, state$shape)),
    error = function(error) nbdeploy_refuse("invalid_example",
      paste0("the model raises on the example: ", conditionMessage(error)), "pass an example that works in this notebook"))
  writeBin(answer, file)
}

# Vectors of trees have millions of numbers: doubles in a file of their own, one vector after the other.
nbdeploy_write_design <- function(design, folder) {
  arrays <- design$arrays
  design$arrays <- lapply(arrays, length)
  writeLines(jsonlite::toJSON(design, auto_unbox = TRUE, null = "null", na = "null"), file.path(folder, "design.json"),
    useBytes = TRUE)
  file <- file(file.path(folder, "design.bin"), "wb")
  on.exit(close(file))
  for (values in arrays) writeBin(as.double(values), file, endian = "little")
}

nbdeploy_capture <- function(folder, model, example, type = NULL, training = NULL) {
  options(warn = -1)
  value <- nbdeploy_evaluate("model", model, "unknown_source")
  made <- nbdeploy_example(nbdeploy_evaluate("example", example, "invalid_example"))
  frame <- made$frame
  style <- nbdeploy_style(value)
  if (is.null(type)) type <- nbdeploy_type(value)
  if (style == "function") type <- NULL
  else if (!is.list(value) && !isS4(value) && !is.environment(value) || is.data.frame(value)) {
    nbdeploy_refuse("unknown_source", paste0("'", model, "' is of class ", class(value)[1L], ", which is no model"),
      "name a fitted model that predict() takes, or a function of a data frame")
  }
  state <- list(model = value, template = frame[0L, , drop = FALSE], style = style, type = type, input = made$input)
  # With one row each part of a list has as many values as there are rows.
  twice <- if (nrow(frame) == 1L) frame[c(1L, 1L), , drop = FALSE] else frame
  answer <- tryCatch(suppressWarnings(nbdeploy_ask(value, twice, style, type, made$input)), error = function(error) {
    if (inherits(error, "packageNotFoundError")) nbdeploy_refuse("not_capturable",
      paste0("the model needs the package ", error$package, ", which is not installed"),
      paste0("run in a cell: install.packages(\"", error$package, "\")"))
    if (style != "function" && !nbdeploy_has_method(value)) nbdeploy_refuse_class(model, value)
    nbdeploy_refuse("invalid_example", paste0("the model raises on the example: ", conditionMessage(error)),
      "pass an example that works in this notebook")
  })
  state$fields <- tryCatch(nbdeploy_fields(answer, nrow(twice)), error = function(error) nbdeploy_refuse("invalid_example",
    conditionMessage(error), "deploy a function that answers one value a row"))
  state$shape <- nbdeploy_shape(answer)
  nbdeploy_answers(state, frame, file.path(folder, "answers.bin"))
  nbdeploy_answers(state, frame, file.path(folder, "again.bin"))
  nbdeploy_write_frame(frame, file.path(folder, "example.bin"))
  table <- nbdeploy_training(value, training, names(frame))
  if (!is.null(table)) nbdeploy_write_frame(table, file.path(folder, "training.bin"))
  needs <- nbdeploy_needs(value, names(frame))
  state$globals <- needs$globals
  state$packages <- needs[c("loaded", "attached")]
  saveRDS(state, file.path(folder, "model.rds"), compress = FALSE)
  nbdeploy_write_design(nbdeploy_design(state), folder)
  formula <- tryCatch(deparse(stats::formula(value), width.cutoff = 500L), error = function(error) NULL)
  about <- list(style = style, type = type, input = made$input, class = class(value)[1L],
    formula = if (length(formula)) paste(formula, collapse = " "), features = as.list(nbdeploy_features(value)),
    globals = as.list(names(needs$globals)), levels = nbdeploy_levels(value, frame),
    packages = lapply(state$packages, as.list),
    r = list(version = paste(R.version$major, R.version$minor, sep = "."), platform = R.version$platform,
      blas = basename(extSoftVersion()[["BLAS"]]), libraries = as.list(.libPaths())))
  writeLines(jsonlite::toJSON(about, auto_unbox = TRUE, null = "null"), file.path(folder, "about.json"), useBytes = TRUE)
}

# Writes a refusal as a document, too.
nbdeploy_run <- function(folder, ...) {
  tryCatch(nbdeploy_capture(folder, ...), error = function(error) {
    code <- if (inherits(error, "nbdeploy_refusal")) error$code else "not_capturable"
    remedy <- if (inherits(error, "nbdeploy_refusal")) error$remedy else "deploy a function of a data frame around the model"
    message <- enc2utf8(conditionMessage(error))
    writeLines(jsonlite::toJSON(list(code = code, message = message, remedy = remedy), auto_unbox = TRUE),
      file.path(folder, "error.json"), useBytes = TRUE)
  })
  invisible()
}

# R leads its children to its own shared libraries (etc/ldpaths), with which another interpreter may not start: the shell
# takes them from the front of the variable.
nbdeploy_libraries <- paste(
  "own=$(unset LD_LIBRARY_PATH R_LD_LIBRARY_PATH R_JAVA_LD_LIBRARY_PATH;",
  ". \"$R_HOME/etc/ldpaths\" && printf %s \"$LD_LIBRARY_PATH\");",
  "LD_LIBRARY_PATH=${LD_LIBRARY_PATH#\"$own\"}; LD_LIBRARY_PATH=${LD_LIBRARY_PATH#:};",
  "if [ -n \"$LD_LIBRARY_PATH\" ]; then export LD_LIBRARY_PATH; else unset LD_LIBRARY_PATH; fi;")

# JupyterLab's queries to a kernel of R: its models, the rows of an example, problems of a form, a capture. Lab runs each
# query silently, and the answer is a message of its own; answers.R, design.R and
# capture.R are loaded next to this file.

nbdeploy_lab <- function(query, given) {
  before <- options(warn = getOption("warn")) # the capture sets it
  seed <- globalenv()[[".Random.seed"]]
  on.exit({
    options(before)
    if (!is.null(seed)) assign(".Random.seed", seed, globalenv())
  })
  answer <- tryCatch({
    given <- jsonlite::fromJSON(given, simplifyVector = FALSE)
    list(answer = do.call(paste0("nbdeploy_lab_", query), given))
  }, error = function(error) list(failed = conditionMessage(error)))
  text <- if (inherits(answer$answer, "json")) paste0("{\"answer\":", answer$answer, "}")
    else as.character(jsonlite::toJSON(answer, auto_unbox = TRUE, null = "null"))
  getOption("jupyter.base_display_func")(list("application/vnd.nbdeploy.v1+json" = enc2utf8(text)))
  invisible()
}

# cells: those that ran, each with its count and its text.
nbdeploy_lab_found <- function(cells) {
  cells <- lapply(cells, function(cell) list(count = cell$count, code = nbdeploy_parsed(cell$source)))
  cells <- cells[order(vapply(cells, function(cell) as.numeric(cell$count), 0))]
  models <- functions <- fits <- list() # fits: of each variable that is a model, or a list that holds some
  for (name in ls(globalenv())) {
    if (bindingIsActive(name, globalenv())) next
    value <- get(name, globalenv())
    if (nbdeploy_is_model(value)) models[[name]] <- value
    else if (nbdeploy_is_own_function(value)) functions[[name]] <- value
    fits[[name]] <- if (nbdeploy_is_model(value)) list(value)
      else if (is.list(value) && !is.object(value)) Filter(nbdeploy_is_model, value)
    if (!length(fits[[name]])) fits[[name]] <- NULL
  }
  # A function that calls a model, or another such function, answers requests.
  answering <- names(fits)
  repeat {
    more <- Filter(function(name) any(all.names(body(functions[[name]])) %in% answering), setdiff(names(functions), answering))
    if (!length(more)) break
    answering <- c(answering, more)
  }
  functions <- functions[intersect(names(functions), answering)]
  called <- unlist(lapply(functions, function(value) all.names(body(value))))
  found <- c(lapply(names(functions), function(name) nbdeploy_candidate(name, functions[[name]], cells, fits)),
    lapply(names(models), function(name) nbdeploy_candidate(name, models[[name]], cells, fits)))
  last <- vapply(found, function(one) if (is.null(one$cell)) 0 else as.numeric(one$cell), 0)
  odd <- vapply(found, function(one) one$unusual, NA)
  inner <- vapply(found, function(one) one$variable %in% called, NA)
  list(pid = Sys.getpid(), notebook = nbdeploy_notebook(), models = found[order(odd, inner, -last)])
}

nbdeploy_notebook <- function() {
  notebook <- Sys.getenv("NBDEPLOY_NOTEBOOK", Sys.getenv("JPY_SESSION_NAME"))
  if (nzchar(notebook)) notebook
}

nbdeploy_parsed <- function(text) {
  tryCatch(as.list(parse(text = text, keep.source = FALSE)), error = function(error) list())
}

# Bases of splines and polynomials have a method of predict, and are no models.
nbdeploy_is_model <- function(value) {
  if (!is.object(value) || is.data.frame(value) || inherits(value, c("formula", "terms", "poly", "bs", "ns", "factor"))) return(FALSE)
  if (!is.list(value) && !isS4(value) && !is.environment(value)) return(FALSE)
  nbdeploy_has_method(value) || is.list(value) && is.call(value[["call"]]) && nbdeploy_lacks_package(value)
}

# A model that was read from a file, whose package is not loaded: the form says so.
nbdeploy_lacks_package <- function(value) {
  made <- value[["call"]][[1L]]
  is.call(made) && as.character(made[[1L]]) %in% c("::", ":::") || is.name(made) && !exists(as.character(made))
}

nbdeploy_is_own_function <- function(value) {
  is.function(value) && !is.primitive(value) && length(formals(value)) > 0L &&
    identical(topenv(environment(value)), globalenv())
}

nbdeploy_candidate <- function(name, value, cells, fits) {
  made <- Filter(function(cell) name %in% unlist(lapply(cell$code, nbdeploy_top_names)), cells)
  count <- if (length(made)) as.integer(made[[length(made)]]$count)
  if (is.function(value)) {
    calls <- unique(intersect(all.names(body(value)), names(fits)))
    why <- if (length(calls)) paste("calls", paste(calls, collapse = ", ")) else "answers by another function"
    methods <- character()
    kind <- "function"
  } else {
    call <- nbdeploy_call_of(value)
    why <- if (is.call(call)) nbdeploy_short(call) else ""
    methods <- nbdeploy_types(value)
    kind <- class(value)[1L]
  }
  at <- if (!is.null(count)) paste0("In [", count, "]")
  list(variable = name, kind = kind, framework = "R", methods = as.list(methods), method = NULL,
    examples = nbdeploy_guesses(name, value, cells, fits),
    why = paste(c(if (nzchar(why)) why, at), collapse = "; "), cell = count,
    unusual = inherits(value, c("prcomp", "princomp", "kmeans")) || !is.function(value) && !nbdeploy_has_method(value))
}

# The names that a statement assigns.
nbdeploy_top_names <- function(code) {
  if (!is.call(code) || !is.name(code[[1L]]) || length(code) != 3L) return(character())
  if (!as.character(code[[1L]]) %in% c("<-", "=", "<<-")) return(character())
  target <- code[[2L]]
  c(if (is.name(target)) as.character(target), nbdeploy_top_names(code[[3L]]))
}

# The choices for the type of predict, where its method lists them.
nbdeploy_types <- function(value) {
  for (class in class(value)) {
    method <- utils::getS3method("predict", class, optional = TRUE, envir = globalenv())
    type <- if (is.function(method)) formals(method)$type
    if (is.call(type) && identical(type[[1L]], quote(c))) return(Filter(is.character, as.list(type)[-1L]))
  }
  character()
}

nbdeploy_short <- function(code) {
  text <- paste(trimws(deparse(code, width.cutoff = 500L)), collapse = " ")
  if (nchar(text) > 100L) paste0(substr(text, 1L, 99L), "\u2026") else text
}

# Rows for a model: those that a cell predicts, the table of the fit, then each table with its columns.
nbdeploy_guesses <- function(name, value, cells, fits) {
  called <- if (is.function(value)) intersect(all.names(body(value)), names(fits))
  fits <- if (is.function(value)) do.call(c, unname(fits[called])) else list(value)
  features <- unique(unlist(lapply(fits, nbdeploy_columns_of)))
  asked <- unlist(lapply(cells, function(cell) lapply(cell$code, nbdeploy_asked, names = c(name, called))))
  asked <- Filter(function(one) is.name(one), asked)
  fitted <- Filter(is.name, unlist(lapply(fits, function(fit) as.list(nbdeploy_call_of(fit))[-1L])))
  # A data set of R is in no environment of the notebook: a cell names it.
  said <- unlist(lapply(rev(cells), function(cell) lapply(cell$code, all.vars)))
  tables <- unique(c(vapply(c(rev(asked), fitted), as.character, ""), as.character(said), Filter(function(one) is.data.frame(get(one, globalenv())),
    Filter(function(one) !bindingIsActive(one, globalenv()), ls(globalenv())))))
  guesses <- list()
  for (table in tables) {
    rows <- tryCatch(get(table, globalenv()), error = function(error) NULL)
    frame <- is.data.frame(rows)
    if (!frame && !(is.matrix(rows) && is.numeric(rows)) || !NROW(rows)) next
    if (!all(features %in% colnames(rows)) || frame && !all(vapply(fits, nbdeploy_takes_types, NA, rows))) next
    columns <- intersect(colnames(rows), features)
    few <- frame && length(columns) && length(columns) < ncol(rows)
    shown <- if (few) paste0(nbdeploy_name(table), "[", paste(deparse(columns, width.cutoff = 500L), collapse = ""), "]")
      else nbdeploy_name(table)
    count <- min(5L, NROW(rows))
    guesses[[length(guesses) + 1L]] <- list(expression = paste0("head(", shown, ", ", count, ")"),
      words = paste0(count, " rows of ", table), placeholder = FALSE)
    if (length(guesses) == 4L) break
  }
  guesses
}

nbdeploy_name <- function(name) paste(deparse(as.name(name), backtick = TRUE), collapse = "")

# Whether columns have the types of the fit, as far as its terms know them: predict refuses others.
nbdeploy_takes_types <- function(fit, rows) {
  types <- attr(tryCatch(stats::terms(fit), error = function(error) NULL), "dataClasses")
  common <- intersect(names(types), names(rows))
  all(vapply(common, function(name) stats::.MFclass(rows[[name]]) == types[[name]], NA))
}

# The call that made a fit, as far as the fit knows it.
nbdeploy_call_of <- function(fit) {
  call <- if (is.list(fit)) fit[["call"]]
    else if (isS4(fit) && methods::.hasSlot(fit, "call")) methods::slot(fit, "call")
  if (is.call(call)) call
}

# The columns that a fit reads; NULL: unknown.
nbdeploy_columns_of <- function(fit) {
  features <- nbdeploy_features(fit)
  call <- nbdeploy_call_of(fit)
  named <- Filter(is.name, as.list(call)[-1L])
  tables <- Filter(is.data.frame, lapply(named, function(name) tryCatch(eval(name, globalenv()), error = function(error) NULL)))
  table <- if (length(tables)) tables[[1L]]
  if (is.null(features) && is.data.frame(table)) {
    formula <- Filter(function(part) is.call(part) && identical(part[[1L]], quote(`~`)), as.list(call))
    if (!length(formula) || length(formula[[1L]]) != 3L) return(NULL)
    named <- all.vars(formula[[1L]][[3L]])
    features <- if ("." %in% named) setdiff(names(table), all.vars(formula[[1L]][[2L]])) else named
  }
  if (is.data.frame(table)) intersect(features, names(table)) else features
}

# The second arguments of predict, and the first ones of the function itself.
nbdeploy_asked <- function(code, names) {
  if (!is.call(code)) return(list())
  inner <- unlist(lapply(as.list(code), function(part) if (!missing(part)) nbdeploy_asked(part, names)))
  called <- if (is.name(code[[1L]])) as.character(code[[1L]]) else ""
  if (called == "predict" && length(code) > 2L && as.character(code[[2L]])[1L] %in% names) {
    given <- as.list(code)[-1L]
    c(inner, if (!is.null(given$newdata)) given$newdata else given[[2L]])
  } else if (called %in% names && length(code) > 1L) c(inner, code[[2L]])
  else inner
}

nbdeploy_lab_preview <- function(expression) {
  tryCatch({
    made <- nbdeploy_example(nbdeploy_evaluate("example", expression, "invalid_example"))
    frame <- made$frame[seq_len(min(nrow(made$frame), 5L)), seq_len(min(ncol(made$frame), 20L)), drop = FALSE]
    cells <- lapply(frame, function(values) ifelse(is.na(values), "NA", substr(trimws(format(values)), 1L, 80L)))
    list(columns = as.list(names(frame)),
      rows = lapply(seq_len(nrow(frame)), function(row) lapply(unname(cells), function(column) column[[row]])),
      words = paste0(nrow(made$frame), if (nrow(made$frame) == 1L) " row" else " rows", " x ", ncol(made$frame),
        if (ncol(made$frame) == 1L) " column" else " columns"), problem = "", remedy = "")
  }, nbdeploy_refusal = function(refusal) {
    list(columns = list(), rows = list(), words = "", problem = nbdeploy_form_words(conditionMessage(refusal)),
      remedy = nbdeploy_form_words(refusal$remedy))
  })
}

# A form has no options.
nbdeploy_form_words <- function(text) sub("--example ", "", sub("^--(model|example|training)", "the \\1", text))

nbdeploy_lab_check <- function(model, example = NULL, signature = NULL, training = NULL, engine = NULL, ...) {
  problems <- list()
  note <- function(field, message, remedy) {
    problems[[length(problems) + 1L]] <<- list(field = field, message = nbdeploy_form_words(message),
      remedy = nbdeploy_form_words(remedy), finding = NULL)
  }
  noted <- function(field, code) tryCatch(code, nbdeploy_refusal = function(refusal) {
    note(field, conditionMessage(refusal), refusal$remedy)
    NULL
  })
  value <- frame <- NULL
  if (!nzchar(trimws(model))) note("model", "there is no model", "choose one of the models that were found, or name a variable")
  else value <- noted("model", nbdeploy_safely("model", model, "unknown_source"))
  if (!is.null(value)) noted("model", nbdeploy_require_model(model, value))
  if (is.null(example)) note("example", "a model of R needs an example", "write rows of a data frame, such as head(X, 5)")
  else frame <- noted("example", {
    rows <- nbdeploy_safely("example", example, "invalid_example")
    if (!is.null(rows)) nbdeploy_example(rows)$frame
  })
  if (!is.null(value) && !is.null(frame) && !is.function(value)) {
    lacks <- setdiff(nbdeploy_columns_of(value), names(frame))
    if (length(lacks)) note("example", paste0("the example lacks columns that the model reads: ", paste(lacks, collapse = ", ")),
      "add them to the example")
  }
  if (!is.null(training)) noted("training", nbdeploy_safely("training", training, "invalid_input"))
  if (!is.null(signature)) note("signature", "a signature is for models of Python", "leave it empty: the example defines it")
  if (identical(engine, "onnx") && !is.null(value) && !is.null(frame)) {
    refused <- nbdeploy_design(list(model = value, template = frame, style = nbdeploy_style(value),
      type = nbdeploy_type(value), input = "frame"))$refused
    if (!is.null(refused)) note("engine", paste0("the model cannot be translated: ", refused), "choose native or auto")
  }
  list(problems = problems, complete = TRUE)
}

nbdeploy_require_model <- function(name, value) {
  if (is.function(value)) return(invisible())
  if (!is.object(value) || is.data.frame(value) || !is.list(value) && !isS4(value) && !is.environment(value)) {
    nbdeploy_refuse("unknown_source", paste0("'", name, "' is of class ", class(value)[1L], ", which is no model"),
      "name a fitted model that predict() takes, or a function of a data frame")
  }
  if (!nbdeploy_has_method(value)) nbdeploy_refuse_class(name, value)
}

# What a check may run: an expression of these calls changes nothing.
nbdeploy_harmless <- c("head", "tail", "[", "[[", "$", "@", "c", "list", ":", "-", "+", "*", "/", "(", "data.frame", "subset",
  "function", "{", "predict", "factor", "as.matrix", "::")

# The value of an expression, or NULL if it may change something; an unknown name is refused in any case.
nbdeploy_safely <- function(what, expression, code) {
  parsed <- tryCatch(parse(text = expression, keep.source = FALSE), error = function(error) nbdeploy_refuse(code,
    paste0("--", what, " is no expression of R: ", expression), "write it as in a cell, such as 'head(X, 5)'"))
  if (length(parsed) == 1L && is.name(parsed[[1L]]) && !exists(as.character(parsed[[1L]]), globalenv())) {
    nbdeploy_refuse(code, paste0("there is no variable '", expression, "' in this notebook"), nbdeploy_near(expression))
  }
  used <- setdiff(all.names(parsed, unique = TRUE), all.vars(parsed))
  if (length(setdiff(used, nbdeploy_harmless))) return(NULL)
  nbdeploy_evaluate(what, expression, code)
}

nbdeploy_near <- function(name) {
  known <- ls(globalenv())
  near <- known[utils::adist(name, known, ignore.case = TRUE)[1L, ] <= 2L]
  if (length(near)) paste0("did you mean ", paste(utils::head(near, 3L), collapse = " or "), "?") else "run the cell that makes it first"
}

# Writes the model and its answers, and waits for nbdeploy's process, which proves them and ends the kernel's part.
nbdeploy_lab_capture <- function(job, python, home, notebook, model, example, method = NULL, training = NULL) {
  folder <- tempfile("nbdeploy-")
  dir.create(folder, mode = "0700")
  on.exit(unlink(folder, recursive = TRUE))
  writeLines(jsonlite::toJSON(list(notebook = if (is.null(notebook)) "" else notebook), auto_unbox = TRUE),
    file.path(folder, "session.json"), useBytes = TRUE)
  if (identical(method, "predict")) method <- NULL
  nbdeploy_run(folder, model, if (is.null(example)) "NULL" else example, method, training)
  line <- paste(c(nbdeploy_libraries, paste0("NBDEPLOY_HOME=", shQuote(home)), "exec", shQuote(python),
    "-P -m jupyter_deploy.faces.kernel.r_capture", shQuote(job), shQuote(folder)), collapse = " ")
  said <- suppressWarnings(system(line, intern = TRUE))
  if (!length(said) || !jsonlite::validate(said[length(said)])) {
    stop("nbdeploy's process ended without an answer: ", paste(said, collapse = " "))
  }
  structure(said[length(said)], class = "json")
}

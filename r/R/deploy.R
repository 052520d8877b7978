# A deploy from a session of R: the model is captured here, and the command line does the rest.

# Looked up in the search path and not imported: an attached package such as kernlab has a generic predict of its own.
utils::globalVariables("predict")

deploy <- function(model, name, example, ..., method = NULL, training = NULL,
    command = getOption("nbdeploy.command", "nbdeploy")) {
  if (Sys.getenv("NBDEPLOY_RERUN") != "") { # a headless run of the notebook, which another deploy started
    cat("this deploy is left out: the notebook runs headless\n")
    return(invisible())
  }
  if (missing(name)) stop("name the endpoint: deploy(fit, name = \"cars\", example = head(X, 5))", call. = FALSE)
  if (missing(example)) stop("give rows as an example: deploy(fit, name = \"cars\", example = head(X, 5))", call. = FALSE)
  if (!nzchar(Sys.which(command))) stop("there is no command '", command, "': pip install nbdeploy, or name its path by ",
    "options(nbdeploy.command = \"/path/of/nbdeploy\")", call. = FALSE)
  further <- nbdeploy_options(list(...))
  expressions <- list(model = substitute(model), example = substitute(example))
  texts <- vapply(expressions, function(one) paste(deparse(one, width.cutoff = 500L), collapse = "\n"), "")
  folder <- tempfile("nbdeploy-")
  dir.create(folder, mode = "0700")
  on.exit(unlink(folder, recursive = TRUE))
  notebook <- Sys.getenv("NBDEPLOY_NOTEBOOK", Sys.getenv("JPY_SESSION_NAME"))
  writeLines(jsonlite::toJSON(list(notebook = notebook), auto_unbox = TRUE), file.path(folder, "session.json"))
  fitted_on <- substitute(training)
  warnings <- options(warn = getOption("warn")) # the capture sets it
  nbdeploy_run(folder, texts[["model"]], texts[["example"]], method,
    if (!is.null(fitted_on)) paste(deparse(fitted_on, width.cutoff = 500L), collapse = "\n"))
  options(warnings)
  given <- c("deploy", folder, "--name", name, "--model", texts[["model"]], "--example", texts[["example"]],
    if (!is.null(method)) c("--method", method), further)
  status <- nbdeploy_shown(paste(c(nbdeploy_libraries, "exec", shQuote(Sys.which(command)), shQuote(given), "2>&1"),
    collapse = " "))
  if (status != 0L) stop("the deploy failed: see the lines above", call. = FALSE)
  invisible(name)
}

# The options of the command line: label = "x" is --label x, trust = TRUE is --trust, and each of several values is given.
nbdeploy_options <- function(options) {
  if (length(options) && (is.null(names(options)) || any(names(options) == ""))) {
    stop("further arguments need names: those of 'nbdeploy deploy --help'", call. = FALSE)
  }
  unlist(lapply(names(options), function(name) {
    value <- options[[name]]
    flag <- paste0("--", gsub("[._]", "-", name))
    if (is.logical(value)) rep(flag, isTRUE(value)) else as.vector(rbind(rep(flag, length(value)), as.character(value)))
  }))
}

# Runs a command and shows each line as it comes; returns its exit status.
nbdeploy_shown <- function(line) {
  output <- pipe(line, "r")
  repeat {
    said <- readLines(output, 1L, warn = FALSE)
    if (!length(said)) break
    cat(said, "\n", sep = "")
    flush.console()
  }
  status <- close(output)
  if (is.null(status)) 0L else as.integer(status)
}

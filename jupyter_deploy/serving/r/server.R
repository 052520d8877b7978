# The R side of a release: Rscript --vanilla server.R FOLDER REQUESTS ANSWERS EVENTS ORDERS OWNER: the numbers of four
# inherited pipes and a process id. This process loads the packages and the model once, and forks a child that answers.
# If the child ends, by a crash or a kill for its time limit, another one is forked: only that request fails. A message
# on ANSWERS has a kind (1: an answer, 2: the text of an error), its length and its content. EVENTS gets the process id of
# each child, and 0 when it has ended; the next is forked on an order. Names of this file are local: the global
# environment is the model's.

local({
  arguments <- commandArgs(trailingOnly = TRUE)
  pipe_of <- function(number, mode) file(paste0("/dev/fd/", number), open = mode, raw = TRUE)
  requests <- pipe_of(arguments[2L], "rb")
  answers <- pipe_of(arguments[3L], "wb")
  events <- pipe_of(arguments[4L], "wb")
  orders <- pipe_of(arguments[5L], "rb")
  owner <- as.integer(arguments[6L])

  reply <- function(kind, bytes) {
    writeBin(c(writeBin(c(kind, length(bytes)), raw(), endian = "little"), bytes), answers)
    flush(answers)
  }
  signal_event <- function(number) {
    writeBin(as.integer(number), events, endian = "little")
    flush(events)
  }
  failure <- function(error) {
    call <- conditionCall(error)
    # The place of an error of nbdeploy's own says nothing of the model.
    if (is.call(call) && is.name(call[[1L]]) && startsWith(as.character(call[[1L]]), "nbdeploy_")) call <- NULL
    where <- if (is.null(call)) "" else paste0(" (in ", paste(deparse(call, nlines = 1L, width.cutoff = 60L)[1L]), ")")
    charToRaw(enc2utf8(paste0(conditionMessage(error), where)))
  }

  load_model <- function(folder) {
    state <- readRDS(file.path(folder, "model.rds"))
    for (package in state$packages$loaded) loadNamespace(package)
    for (package in rev(state$packages$attached)) {
      suppressPackageStartupMessages(library(package, character.only = TRUE, warn.conflicts = FALSE))
    }
    for (name in names(state$globals)) assign(name, state$globals[[name]], envir = globalenv())
    state
  }

  # The columns of a request are in the pipe by group: numbers, then whole numbers, then texts.
  layout_of <- function(template) {
    group <- vapply(template, function(column) switch(typeof(column), double = "d", character = "t", "i"), "")
    group[vapply(template, function(column) inherits(column, c("Date", "POSIXct")), NA)] <- "d"
    list(
      names = names(template), group = group,
      at = stats::ave(seq_along(group), group, FUN = seq_along),
      logical = vapply(template, is.logical, NA), attributes = lapply(unname(as.list(template)), attributes),
      width = c(d = sum(group == "d"), i = sum(group == "i"), t = sum(group == "t"))
    )
  }

  read_frame <- function(layout, head) {
    rows <- head[2L]
    numbers <- readBin(requests, "double", rows * layout$width[["d"]], endian = "little")
    wholes <- readBin(requests, "integer", rows * layout$width[["i"]], endian = "little")
    texts <- if (layout$width[["t"]]) read_texts(rows * layout$width[["t"]], head[3L])
    columns <- vector("list", length(layout$names))
    for (place in seq_along(columns)) {
      at <- ((layout$at[place] - 1L) * rows + 1L):(layout$at[place] * rows)
      values <- switch(layout$group[place], d = numbers[at], i = wholes[at], t = texts[at])
      if (layout$logical[place]) values <- as.logical(values)
      if (!is.null(layout$attributes[[place]])) attributes(values) <- layout$attributes[[place]]
      columns[[place]] <- values
    }
    attributes(columns) <- list(names = layout$names, row.names = .set_row_names(rows), class = "data.frame")
    columns
  }

  read_texts <- function(count, bytes) {
    sizes <- readBin(requests, "integer", count, endian = "little")
    content <- readBin(requests, "raw", bytes)
    present <- sizes >= 0L
    texts <- rep(NA_character_, count)
    if (bytes) texts[present] <- readChar(content, sizes[present], useBytes = TRUE) else texts[present] <- ""
    Encoding(texts) <- "UTF-8"
    texts
  }

  # Until the pipe is closed.
  serve <- function(state, layout) {
    repeat {
      head <- readBin(requests, "integer", 3L, endian = "little")
      if (length(head) < 3L) return(NULL)
      frame <- read_frame(layout, head)
      made <- tryCatch(
        list(1L, suppressWarnings(nbdeploy_encode(
          nbdeploy_ask(state$model, frame, state$style, state$type, state$input), head[2L], state$fields, state$shape))),
        error = function(error) list(2L, failure(error))
      )
      reply(made[[1L]], made[[2L]])
    }
  }

  # Whether the process that started this one is there. Where that is unknown, the closed pipes are sign enough.
  is_owned <- function() !dir.exists("/proc/self") || dir.exists(paste0("/proc/", owner))

  versions <- function() {
    names <- sort(loadedNamespaces())
    described <- vapply(names, function(name) {
      about <- suppressWarnings(utils::packageDescription(name, fields = c("Version", "Priority", "Repository", "Packaged")))
      source <- if (!is.na(about$Priority) && about$Priority == "base") "base"
        else if (startsWith(find.package(name), "/usr/lib/R/")) "Debian"
        else if (!is.na(about$Repository)) about$Repository else "local"
      paste(name, about$Version, source, if (is.na(about$Packaged)) "" else about$Packaged, sep = "\t")
    }, "")
    c(paste("R", paste(R.version$major, R.version$minor, sep = "."), R.version$platform, "", sep = "\t"), described)
  }

  here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1L]))
  sys.source(file.path(here, "answers.R"), envir = environment())
  state <- tryCatch(load_model(arguments[1L]), error = function(error) {
    reply(2L, failure(error))
    NULL
  })
  if (!is.null(state)) {
    layout <- layout_of(state$template)
    reply(1L, charToRaw(enc2utf8(paste(versions(), collapse = "\n"))))
    repeat {
      job <- parallel::mcparallel(serve(state, layout), silent = FALSE)
      signal_event(job$pid)
      repeat {
        ended <- suppressWarnings(parallel::mccollect(job, wait = FALSE, timeout = 2))
        if (!is.null(ended)) break
        if (!is_owned()) {
          tools::pskill(job$pid, tools::SIGKILL)
          quit(status = 1L)
        }
      }
      signal_event(0L)
      if (length(readBin(orders, "integer", 1L, endian = "little")) == 0L) break
    }
  }
})

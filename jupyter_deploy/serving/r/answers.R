# How a model of R is called, and how its answer and a notebook's data frame become bytes. Base R alone: a release's
# process and the notebook's kernel run the same code.

# frame: predict(model, frame); matrix: predict(model, its numbers); vector: predict(model, its column)$y; function:
# model(frame).
nbdeploy_style <- function(model) {
  if (is.function(model)) "function"
  else if (inherits(model, "smooth.spline")) "vector"
  else if (inherits(model, c("glmnet", "cv.glmnet"))) "matrix"
  else "frame"
}

# A generalised model answers on the scale of its response, as in Python.
nbdeploy_type <- function(model) {
  if (inherits(model, c("glm", "gam", "glmerMod", "glmnet", "cv.glmnet"))) "response"
}

nbdeploy_ask <- function(model, frame, style, type = NULL, input = "frame") {
  if (input == "vector") frame <- frame[[1L]]
  else if (input == "matrix" || style == "matrix") frame <- as.matrix(frame)
  else if (style == "vector") frame <- frame[[1L]]
  nbdeploy_as_matrix(if (style == "function") model(frame)
  else if (style == "vector") predict(model, frame)$y
  else if (is.null(type)) predict(model, frame)
  else predict(model, frame, type = type))
}

# A multinomial glmnet answers rows x classes x penalties: of one penalty, a matrix.
nbdeploy_as_matrix <- function(answer) {
  if (is.array(answer) && length(dim(answer)) == 3L && dim(answer)[3L] == 1L) {
    matrix(answer, dim(answer)[1L], dimnames = dimnames(answer)[1:2])
  } else answer
}

# The parts of a list that have one value a row.
nbdeploy_fields <- function(answer, rows) {
  if (!is.list(answer) || is.data.frame(answer)) return(NULL)
  if (is.null(names(answer))) stop("the model answers a list without names; answer a vector, a matrix or a data frame")
  fields <- names(answer)[vapply(answer, function(part) nbdeploy_is_column(part) && NROW(part) == rows, NA)]
  if (!length(fields)) stop("no part of the list that the model answers has one value for each of the ", rows, " rows")
  fields
}

nbdeploy_is_column <- function(part) is.atomic(part) || is.data.frame(part) || is.factor(part)

# An answer as its columns: a list of vectors; a name has the names of the list, the matrix and the data frame around
# its value, between unit separators. form: vector, array (columns without names) or table.
nbdeploy_columns <- function(answer, rows, fields = NULL) {
  if (is.list(answer) && !is.data.frame(answer)) {
    answer <- unclass(answer)[fields]
    if (length(fields) == 1L) answer <- answer[[1L]]
  }
  if (isS4(answer)) stop("the model answers an object of class ", class(answer)[1L], "; answer a vector, a matrix or a data frame")
  if (is.null(dim(answer)) || length(dim(answer)) == 1L || (is.matrix(answer) && ncol(answer) == 1L)) {
    if (!is.list(answer)) {
      if (!is.null(dim(answer))) { dim(answer) <- NULL }
      return(list(form = "vector", columns = list(answer)))
    }
  }
  if (is.matrix(answer)) {
    columns <- lapply(seq_len(ncol(answer)), function(j) as.vector(answer[, j]))
    if (is.null(colnames(answer))) return(list(form = "array", columns = columns))
    names(columns) <- colnames(answer)
    return(list(form = "table", columns = columns))
  }
  if (length(dim(answer)) > 2L) stop("the model answers an array of ", length(dim(answer)), " dimensions; answer a vector, a matrix or a data frame")
  columns <- list()
  for (name in names(answer)) {
    inner <- nbdeploy_columns(answer[[name]], rows, nbdeploy_fields(answer[[name]], rows))
    if (inner$form == "vector") columns[[name]] <- inner$columns[[1L]]
    else {
      within <- if (inner$form == "table") names(inner$columns) else seq_along(inner$columns)
      columns[paste(name, within, sep = "\x1f")] <- inner$columns
    }
  }
  list(form = "table", columns = columns)
}

# The shape of a matrix with several columns; NULL for any other answer.
nbdeploy_shape <- function(answer) {
  if (is.matrix(answer) && ncol(answer) > 1L) list(ncol = ncol(answer), names = colnames(answer))
}

# Many methods of predict drop the dimensions of a matrix with one row.
nbdeploy_with_shape <- function(answer, rows, shape) {
  if (is.null(shape) || rows != 1L || !is.null(dim(answer)) || length(answer) != shape$ncol) return(answer)
  matrix(answer, 1L, dimnames = list(NULL, shape$names))
}

# Little-endian: form, rows and number of columns, then for each column its kind, its name and its values.
nbdeploy_encode <- function(answer, rows, fields = NULL, shape = NULL) {
  answer <- nbdeploy_with_shape(answer, rows, shape)
  if (typeof(answer) == "double" && !is.object(answer) && is.null(dim(answer)) && length(answer) == rows) {
    return(c(writeBin(c(1L, rows, 1L, 1L, 0L), raw(), endian = "little"), writeBin(as.vector(answer), raw(), endian = "little")))
  }
  made <- nbdeploy_columns(answer, rows, fields)
  columns <- made$columns
  if (length(columns) && NROW(columns[[1L]]) != rows) {
    stop("the model answers ", NROW(columns[[1L]]), " values for ", rows, " rows; it must answer one for each row")
  }
  form <- match(made$form, c("vector", "array", "table"))
  names <- names(columns)
  if (is.null(names)) names <- rep("", length(columns))
  parts <- c(list(writeBin(c(form, as.integer(rows), length(columns)), raw(), endian = "little")),
    Map(nbdeploy_encode_column, columns, names))
  unlist(parts, use.names = FALSE)
}

nbdeploy_encode_column <- function(values, name) {
  name <- charToRaw(enc2utf8(name))
  kind <- nbdeploy_kind(values)
  about <- c(writeBin(c(match(kind, nbdeploy_kinds), length(name)), raw(), endian = "little"), name)
  c(about, switch(kind,
    double = , Date = writeBin(as.double(unclass(values)), raw(), endian = "little"),
    integer = , logical = writeBin(as.integer(values), raw(), endian = "little"),
    text = nbdeploy_encode_texts(as.character(values)),
    factor = , ordered = c(writeBin(length(levels(values)), raw(), endian = "little"),
      nbdeploy_encode_texts(levels(values)), writeBin(as.integer(values), raw(), endian = "little")),
    POSIXct = c(nbdeploy_encode_texts(nbdeploy_zone(values)), writeBin(as.double(unclass(values)), raw(), endian = "little"))
  ))
}

nbdeploy_kinds <- c("double", "integer", "logical", "text", "factor", "ordered", "Date", "POSIXct")

nbdeploy_kind <- function(values) {
  if (is.ordered(values)) "ordered"
  else if (is.factor(values)) "factor"
  else if (inherits(values, "Date")) "Date"
  else if (inherits(values, "POSIXct")) "POSIXct"
  else if (inherits(values, c("integer64", "difftime", "POSIXlt", "Surv")) || is.list(values) || !is.null(dim(values))) {
    stop("is a ", class(values)[1L])
  }
  else switch(typeof(values), double = "double", integer = "integer", logical = "logical", character = "text",
    stop("is of type ", typeof(values)))
}

nbdeploy_zone <- function(values) {
  zone <- attr(values, "tzone")[1L]
  if (is.null(zone) || is.na(zone) || zone == "") zone <- Sys.timezone()
  if (is.null(zone) || is.na(zone)) "UTC" else zone
}

nbdeploy_encode_texts <- function(texts) {
  texts <- enc2utf8(texts)
  sizes <- nchar(texts, "bytes")
  sizes[is.na(texts)] <- -1L
  c(writeBin(as.integer(sizes), raw(), endian = "little"), charToRaw(paste(texts[!is.na(texts)], collapse = "")))
}

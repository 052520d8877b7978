# Answers the rows of a table: Rscript client.R model.onnx OUTPUT rows.tsv [needs ./client, the program of client.cpp]
# R has no ONNX Runtime of its own: the C++ client answers a data frame's rows, a matrix with a row for each of them.
answers <- function(model, output, rows, client = "./client") {
  table <- tempfile(fileext = ".tsv")
  on.exit(unlink(table))
  cells <- lapply(rows, function(column) {
    if (is.numeric(column)) ifelse(is.na(column), "NaN", sprintf("%.17g", column))
    else ifelse(is.na(column), "\uffff", enc2utf8(as.character(column)))
  })
  lines <- do.call(paste, c(unname(cells), sep = "\t"))
  writeLines(c(paste(names(rows), collapse = "\t"), lines), table, useBytes = TRUE)
  found <- system2(client, shQuote(c(model, output, table)), stdout = TRUE)
  values <- do.call(rbind, strsplit(found, "\t", fixed = TRUE))
  numbers <- suppressWarnings(as.numeric(values))
  if (anyNA(numbers[values != "nan"])) values else matrix(numbers, nrow = nrow(values))
}

words <- commandArgs(trailingOnly = TRUE)
if (length(words) == 3) {
  rows <- read.delim(words[3], quote = "", na.strings = NULL, colClasses = "character", encoding = "UTF-8",
                     check.names = FALSE, comment.char = "")
  found <- answers(words[1], words[2], rows)
  write.table(if (is.numeric(found)) apply(found, 2, sprintf, fmt = "%.17g") else found, sep = "\t", quote = FALSE,
              row.names = FALSE, col.names = FALSE)
}

# What a validation notebook in R calls: source(Sys.getenv("NBDEPLOY_R", "nbdeploy.R"))
# Base R, and IRdisplay and jsonlite, which R's kernel needs itself.

# The answers to a data frame's rows, a matrix's rows, or texts; a list of lists for a function's calls.
# They go in up to 100 requests of 5 rows at least, so that there are latencies to judge.
model_predict <- function(data, url = Sys.getenv("NBDEPLOY_MODEL_URL")) {
  if (url == "") stop("which model? Set NBDEPLOY_MODEL_URL to an endpoint's address; 'nbdeploy validate' sets it")
  size <- max(5, ceiling(NROW(data) / 100))
  answers <- lapply(seq(1, max(NROW(data), 1), size), function(first) {
    rows <- seq(first, length.out = min(size, NROW(data) - first + 1))
    .nbdeploy_ask(if (is.null(dim(data))) data[rows] else data[rows, , drop = FALSE], url, first)
  })
  # Made simple together: what is a number, a row or missing is seen by all answers.
  jsonlite::fromJSON(jsonlite::toJSON(do.call(c, answers), auto_unbox = TRUE, digits = I(17), null = "null"))
}

.nbdeploy_ask <- function(data, url, first) {
  at <- regmatches(url, regexec("^http://([^/:]+):([0-9]+)(.*)$", url))[[1]]
  body <- charToRaw(enc2utf8(jsonlite::toJSON(list(instances = data), auto_unbox = !is.atomic(data) && !is.data.frame(data),
    digits = I(17), na = "null", Date = "ISO8601", POSIXt = "ISO8601", UTC = TRUE)))
  server <- socketConnection(at[2], as.integer(at[3]), open = "r+b", blocking = TRUE, timeout = 600)
  on.exit(close(server))
  head <- sprintf("POST %s/predict HTTP/1.1\r\nhost: %s:%s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n",
    at[4], at[2], at[3], length(body))
  writeBin(c(charToRaw(head), body), server)
  answer <- raw()
  while (length(part <- readBin(server, "raw", 1e6)) > 0) answer <- c(answer, part)
  text <- rawToChar(answer)
  Encoding(text) <- "UTF-8"
  content <- substring(text, regexpr("\r\n\r\n", text, fixed = TRUE) + 4)
  if (substring(text, 10, 12) != "200") stop("the model does not answer this, from row ", first, " on: ", content)
  jsonlite::fromJSON(content, simplifyVector = FALSE)$predictions
}

# One figure: a value (of n rows; share = TRUE: a share of them), or one number or TRUE/FALSE a row and a statistic of
# them; cluster: a label for each row, such as its patient.
metric <- function(name, value = NULL, rows = NULL, n = NULL, group = NULL, statistic = "mean", share = FALSE,
    cluster = NULL) {
  said <- list(kind = "metric", name = name, value = value, n = n, group = as.list(group), statistic = statistic,
    rows = if (!is.null(rows)) I(as.numeric(rows)), share = if (share) TRUE,
    clusters = if (!is.null(cluster)) I(as.integer(factor(cluster))))
  words <- if (is.null(rows)) format(value, digits = 6) else paste(statistic, "of", length(rows), "rows")
  .nbdeploy_show(said, paste(name, "=", words))
}

# Something that is so, or not.
check <- function(name, passed, detail = "") {
  stopifnot(is.logical(passed), length(passed) == 1, !is.na(passed))
  .nbdeploy_show(list(kind = "check", name = name, passed = passed, detail = detail),
    paste(if (passed) "\u2713" else "\u2717", name))
}

# As text, since R's kernel rounds the numbers of what it displays to four digits.
.nbdeploy_show <- function(said, words) {
  said <- Filter(Negate(is.null), said)
  if (length(said$group) == 0) said$group <- NULL
  text <- as.character(jsonlite::toJSON(said, auto_unbox = TRUE, digits = I(17), na = "string"))
  IRdisplay::publish_mimebundle(list("application/vnd.nbdeploy.metric+json" = text, "text/plain" = words))
}

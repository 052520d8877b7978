# What becomes of the arguments, without the command.
options <- nbdeploy:::nbdeploy_options
stopifnot(
  identical(options(list(label = "wider trees", strict = TRUE, force = FALSE)), c("--label", "wider trees", "--strict")),
  identical(options(list(secret = c("A=env:A", "B=env:B"), show_example = TRUE)),
    c("--secret", "A=env:A", "--secret", "B=env:B", "--show-example")),
  is.null(options(list())),
  inherits(try(options(list("wider")), silent = TRUE), "try-error")
)
refused <- function(call) conditionMessage(tryCatch(call, error = identity))
fit <- lm(mpg ~ wt, mtcars)
stopifnot(
  grepl("name the endpoint", refused(nbdeploy::deploy(fit))),
  grepl("give rows", refused(nbdeploy::deploy(fit, name = "cars"))),
  grepl("no command 'no-such'", refused(nbdeploy::deploy(fit, name = "cars", example = mtcars, command = "no-such")))
)

# Build source packages of R into the site's library: Rscript --vanilla build_r_packages.R ARCHIVE …, each after those
# that it needs. Folders have fixed names and files a fixed time, so that the same source gives the same files.
library <- "/usr/local/lib/R/site-library"
r <- file.path(R.home("bin"), "R")
dir.create(library, recursive = TRUE, showWarnings = FALSE)
for (archive in commandArgs(TRUE)) {
  name <- sub("_.*", "", basename(archive))
  utils::untar(archive, exdir = "/build/unpacked", tar = "internal")
  options <- c("--no-docs", "--no-multiarch", "--strip", "--built-timestamp=1970-01-01", paste0("--library=", library))
  if (system2(r, c("CMD", "INSTALL", options, file.path("/build/unpacked", name)))) {
    message("nbdeploy: ", name, " cannot be built")
    quit(status = 1L)
  }
}

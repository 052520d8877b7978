"""Models of R: the process that answers, and data frames as bytes."""

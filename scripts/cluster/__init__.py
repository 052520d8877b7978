"""A Kubernetes of this machine's own, for tests: built from Debian's source package, one process group a node."""

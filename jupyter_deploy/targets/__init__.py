"""Where releases run, one target a module; found by the entry point group ``nbdeploy.targets``."""

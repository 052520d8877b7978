"""nbdeploy: turn the model in an open notebook into a running, validated, observable service."""

__version__ = "0.1.0"

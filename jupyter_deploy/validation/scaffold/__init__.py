"""The set-up of validation in a project: its notebooks are read, and new files are drafted and written."""

from .project import ProjectStarter

__all__ = ["ProjectStarter"]

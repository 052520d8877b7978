"""Files of a project that has its models validated: looked at, made, written."""

from .project import ProjectStarter

__all__ = ["ProjectStarter"]

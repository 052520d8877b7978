"""What a user would pick instead: servers of the same model, each in an environment of its own."""

from .bentoml import BENTOML
from .fastapi import FASTAPI
from .litserve import LITSERVE
from .mlflow import MLFLOW
from .mlserver import MLSERVER

PEERS = (*FASTAPI, *BENTOML, *LITSERVE, *MLSERVER, *MLFLOW)

__all__ = ["BENTOML", "FASTAPI", "LITSERVE", "MLFLOW", "MLSERVER", "PEERS"]

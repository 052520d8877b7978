"""The outside world, one file a neighbour; each plays a part that ``domain.ports`` describes."""

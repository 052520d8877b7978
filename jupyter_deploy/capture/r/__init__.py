"""Capture in R's kernel: what R writes there becomes a live object of Python."""

"""Nominal against observed error rates of this package's intervals and verdicts, by simulation.

``python -m scripts.statistics`` runs every topic from fixed seeds and writes the tables of docs/statistics.md.
"""

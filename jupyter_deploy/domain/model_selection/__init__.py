"""Values and rules of a choice among models: the table, constraints, the Pareto front, calibration, the chart.

Imports domain alone.
"""

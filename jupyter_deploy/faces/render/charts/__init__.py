"""Charts of results as Vega-Lite specifications."""

"""The verbs that write a release or an endpoint in the form of another tool: objects for Kubernetes, an ONNX graph.

Imports domain and the other verbs.
"""

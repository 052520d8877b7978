"""Translation of captured models to ONNX, and its proof.

Imports artifacts, domain, environments, notebooks, serving and system, as ``capture`` does.
"""

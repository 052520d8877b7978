"""The programs of the gateway's image: Envoy in a Compose project, and Envoy with its agent in a pod of Kubernetes.

Standard library only: the image has nothing else of nbdeploy. Imports nothing.
"""

"""The verbs of container images: publishing, verification, Compose, and releases that run from an image.

Imports domain and the other verbs.
"""

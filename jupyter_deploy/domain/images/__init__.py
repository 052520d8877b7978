"""Values of images: names, publications, Compose projects, requests, ports.

Imports domain alone.
"""

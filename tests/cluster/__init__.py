"""Tests on a real Kubernetes; ``make test-kubernetes`` starts one and collects them."""

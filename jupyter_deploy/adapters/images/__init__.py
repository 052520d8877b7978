"""Container images: assembled from files, kept in an OCI image layout, moved by programs of the distribution."""

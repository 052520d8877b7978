"""The worker of a batch: reads partitions of a source, answers their rows and writes them to a sink.

May come in: reading, scoring and writing of tables, by pyarrow. It runs in the environment of the model.
"""

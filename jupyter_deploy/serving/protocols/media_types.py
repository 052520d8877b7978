"""Media types of tables and JSON."""

STREAM = "application/vnd.apache.arrow.stream"
FILE = "application/vnd.apache.arrow.file"
PARQUET = "application/vnd.apache.parquet"
TABLES = (STREAM, FILE, PARQUET)

JSON = "application/json"

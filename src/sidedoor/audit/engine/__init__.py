"""The columnar engine: DuckDB and nothing else. See docs/development.md for the views and tables it makes."""

"""The flow reduction as Ibis expressions: the same on DuckDB, Spark, and whatever else Ibis speaks to.

Ibis is imported here only, and as a language: expressions over named tables, which an engine has compiled to its SQL.
What makes an expression is a function of tables and plain values, and is cached: a history of ninety days asks the
same of each, and Ibis takes longer to write a question than DuckDB to answer it for a small day.
"""

"""How the schema came to be: Alembic's environment and a file for each step. No step is changed once it is released."""

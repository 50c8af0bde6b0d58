"""What is kept between runs: what people decided, what was seen, and which alerts are open. SQLite or PostgreSQL."""

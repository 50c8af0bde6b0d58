"""Several processes on one machine that take mail on the same port, and the parent that looks after them. Linux."""

"""What all benchmarks share: the form of their figures, the goals they are held to, the runner and the tables."""

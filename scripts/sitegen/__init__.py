"""Pages of the site that are made from the code at build time: nothing here is written into the repository."""

"""What several edges of a tenant share through the store: mail that is held back, settings, decisions."""

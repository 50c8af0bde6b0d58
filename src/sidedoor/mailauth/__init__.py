"""What DNS publishes about a domain's mail: SPF, MX, DMARC, reverse names; DNS itself behind a small interface."""

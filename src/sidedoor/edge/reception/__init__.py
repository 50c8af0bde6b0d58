"""What happens to a message once its recipients are taken: authentication, stamps, transport rules, safe keeping."""

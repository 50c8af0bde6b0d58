"""What is missing for which feature, on this machine and in a workspace. It looks; it changes nothing."""

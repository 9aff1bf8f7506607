"""What a person types: one file a command, installed as the package ``emotions_cli``."""

"""The commands that an installation brings: each takes arguments and makes one call of the package."""

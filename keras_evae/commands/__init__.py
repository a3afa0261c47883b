"""The installed commands: arguments, then one call of the package."""

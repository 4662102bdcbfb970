"""The data key, and the groups of master keys that wrap it."""

"""Find identities, passphrases and logins: in variables, files, sources and the user's configuration."""

"""Where an identity, a passphrase or a login comes from."""

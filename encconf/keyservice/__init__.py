"""The server of sops's key service."""

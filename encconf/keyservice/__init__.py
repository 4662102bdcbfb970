"""The server side of sops's key service."""

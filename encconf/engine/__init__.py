"""One text and its ciphertexts: sealing, opening, the MAC, the sops block, the layout record."""

"""`.sops.yaml`: its grammar, which rule applies to a file, and which values a rule selects."""

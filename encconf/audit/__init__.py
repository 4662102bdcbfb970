"""Reports about encrypted files that need no key and change nothing.

`encconf.audit.check` finds mistakes in a whole repository.  `encconf.audit.explain` says which rule applies
to a file and why.  `encconf.audit.access` finds out who can read which files and since when.
`encconf.audit.diff` finds out what differs between two versions, without showing values.
"""

# It is compiled when it is first needed.
DIRECTIVE = (
    r"(?i:yaml-language-server|yamllint |prettier-|code: language|vim:|vi:|renovate:|checkov:|trivy:"
    r"|kics-scan |noqa\b|nosec\b|ansible-lint|gitleaks:|pragma:|shellcheck |\$schema|-\*-)"
)
"""Matches the beginning of a comment for a program: it is no secret, and no name of a person."""

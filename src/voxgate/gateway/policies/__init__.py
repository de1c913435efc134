"""The rules of credentials that are enforced on messages, one file each."""

"""Layer 4: API keys, temporary credentials and the grants they carry."""

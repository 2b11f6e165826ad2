"""A record and the world outside: the registry that it promotes a model in, its history, its attestation."""

"""Registries on this machine's loopback, for rehearsals, and what any registry says of what it holds."""

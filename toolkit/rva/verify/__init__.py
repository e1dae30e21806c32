"""Proof that what lies in dist/ is what its rows promise: read by its own format, and run wherever it can be."""

"""Packages that others made, or that lie on the disk: read, never run."""

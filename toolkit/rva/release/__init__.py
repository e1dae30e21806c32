"""Packages -> registries: a frozen plan, a journal, sending and reading back."""

"""Compares contenders in one interleaved run: who they are, what they compute, how it is measured and reported."""

"""Commands of the program beyond building and checking: one module a group."""

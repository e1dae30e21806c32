"""dist/ -> what registries and people take. One module a kind plans as data; write.py makes the files."""

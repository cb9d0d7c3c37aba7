"""Reports of a double run: terminal, JSON, HTML and GitHub annotations."""

"""Guards of routes: derived from bytecode, against a baseline of the standard library."""

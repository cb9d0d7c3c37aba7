"""Routes: which target is served by which native function, and registered ones."""

"""Controller of a double run: starting arms, collecting their records, confirming differences."""

"""Other modes: inline, shadow, replay and the self-test."""

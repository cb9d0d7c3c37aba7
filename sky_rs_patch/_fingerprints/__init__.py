"""Fingerprints of SkyPilot's code: how they are computed, and which are known."""

"""Foundations: names, switch values, warnings and processes; imports nothing of the package."""

"""Model of a double run: settings, test runs, canonical values, comparison and verdicts."""

"""Recording and replaying of schedules: which worker runs which tests, in which order."""

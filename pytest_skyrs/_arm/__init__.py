"""Inside an arm: the recording of calls, logs, output and resources of each test."""

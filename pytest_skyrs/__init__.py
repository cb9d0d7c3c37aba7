"""A pytest plugin that runs SkyPilot's tests on a backend of the user's choice."""

"""Commands of ``python -m sky_rs_patch`` and the hook that activates an environment."""

"""Runtime of the shim: installing proxies, undoing it, and saying what stands where."""

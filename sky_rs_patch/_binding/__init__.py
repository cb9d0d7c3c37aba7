"""Binding to the extension: loading it, its proxies, counters and bytecode reader."""

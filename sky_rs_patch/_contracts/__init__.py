"""Contracts with libraries: what native code relies on in PyYAML, jsonschema, psutil, logging."""

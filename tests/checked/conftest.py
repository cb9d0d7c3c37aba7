collect_ignore = ["test_panics.py"]

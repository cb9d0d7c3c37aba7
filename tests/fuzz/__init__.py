"""Millions of random calls, each on the proxy and on its original.

    python -m fuzz --minutes 5 --seed 1

`descriptions.py` says for each route what it is called with, `lightly.py` compares quickly,
`differential.compare` in full; `command.py` runs both and `record.py` writes what came of it.
"""

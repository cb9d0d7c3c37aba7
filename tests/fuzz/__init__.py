"""Millions of random calls, each on the proxy and on its original.

    python -m fuzz --minutes 5 --seed 1

`descriptions.py` says for each route what it is called with, `lightly.py` compares quickly,
`differential.compare` in full; `command.py` runs both and `record.py` writes what came of it.
"""

import pathlib
import sys

# What the tests share, and the property tests, whose calls are recombined.
for _folder in ("support", "routes"):
    _path = str(pathlib.Path(__file__).parents[1] / _folder)
    if _path not in sys.path:
        sys.path.append(_path)

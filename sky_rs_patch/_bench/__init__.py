"""Measures routes against their originals: ``python -m sky_rs_patch bench``.

``workloads`` says what is called and what bounds it, ``worker`` measures in a child process,
``command`` starts workers, gathers and prints. Whatever needs pyperf imports it late, so that the
demo can do without (``timing``).
"""

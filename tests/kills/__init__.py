"""The daemon as a process under full load, killed at random, and the ledger that has to balance.

``python -m tests.kills --seconds 120`` plays it; ``run.py`` is the story, ``far_sides.py`` the
sinks, ``producers.py`` those who send, ``workers.py`` and ``worker.py`` those who answer tasks,
``ledger.py`` what has to hold in the end.
"""

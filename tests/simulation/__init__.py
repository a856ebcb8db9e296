"""The daemon but its sockets in a virtual world, all of which follows from one seed.

``world.py`` is the daemon's lives; ``disk.py`` what outlives them; ``far_sides.py`` and
``people.py`` those around it; ``checks.py`` and ``grammar.py`` what has to hold in the end.
``python -m tests.simulation`` runs as many seeds as it can and replays the first that fails.
"""

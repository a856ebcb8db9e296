"""A disk that fails on demand under the real daemon, and one that loses power.

``shim.c`` is loaded into the daemon and fails the calls that ``Shim`` names; it can keep a log of
all that was done to the files, from which ``power.Platter`` rebuilds what a disk may hold when the
power goes. ``traffic.Traffic`` is the work under which that happens, with a ledger of what was
promised.
"""

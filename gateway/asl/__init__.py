"""PURE: the Amazon States Language. Definitions become machines, stimuli become records; no I/O,
no clock.

``parse_definition`` compiles, ``advance`` says what follows from a stimulus, ``Execution.apply``
is the only way in which an execution changes, ``codec`` knows the records on disk, ``events``
shows them as AWS does. One file for each state type in ``states``; ``flow`` is what they have in
common.
"""

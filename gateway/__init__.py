"""Stategate: events in, durable executions of Amazon States Language machines, completions out.

The packages, from the core outwards (each may import what stands above it in this list, never
below):

- ``errors``   the kinds of error that cross a seam
- ``http``, ``processes``   what adapters stand on: HTTP over trio, programs that end with us
- ``asl``      PURE: the language; definition -> StateMachine, ``advance``, records, AWS's history
- ``store``    durable rows: the protocol, SQLite, an in-memory twin
- ``aws``      signed calls to AWS services, over trio: what sources, sinks and tasks share
- ``sources``, ``sinks``, ``tasks``   adapters to the outside: messages in, notifications out, calls
- ``testing``  a definition run in memory, with mocks for its tasks and a clock that jumps
- ``engine``   the trio shell around ``asl``: the one door, timers, activities, outbox
- ``triggers``, ``api``, ``callbacks``, ``workers``  what uses the engine: messages, AWS's wire
  protocol, links that answer tasks, processes
- ``config``   YAML with line numbers -> settings
- ``daemon``, ``cli``   nurseries and signals; commands

The words: a *message* came in; a *stimulus* drives the engine; a *record* is what it writes; an
*event* is what AWS's history shows of it; an *effect* is a wish that stands as a row until it is
fulfilled; a *notification* goes out; a *letter* is what could not be taken or delivered; a
*problem* is found by ``check``; a *task* is an ASL task; a long-running trio task is a *service*
or a *pump*.
"""

"""Several processes that serve together, for machines with many cores.

    launch.py       settings become a plan: each worker's share, and the sockets to listen on
    supervisor.py   keeps the workers, takes connections, hands each to the worker that has the fewest
    restarts.py     when the next worker starts in the place of one that has ended
    worker.py       a process that serves what it is handed
    messages.py     what the supervisor and a worker tell each other
    channel.py      how: a socket between the two, which carries connections too

Processes that share a listening socket divide callers badly: a connection goes to whichever wakes first, and a caller
who keeps it stays there, so that one process has all and another none.  Here one process takes all, and counts.
"""

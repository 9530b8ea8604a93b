"""Checks captures as one session on a cluster; the results are those of one machine.

Each piece of the captures is read twice: once to summarize its events, once to check them. In between the registers of
the session are folded in parts, so that nobody has to know all of it, and the prior states come back to each event.
Dask distributed does the rest: it hands out the work, keeps what is in between, and repeats what is lost with a worker.
"""

from ltkm_inspect.cluster.driver import check
from ltkm_inspect.cluster.job import Job

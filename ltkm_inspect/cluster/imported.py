"""What workers on this machine need: the process that they are forked from imports this, so that they need not."""

from contextlib import suppress

with suppress(Exception):  # the driver imports the same, and says what is wrong
    from ltkm_inspect.cluster import dask as dask

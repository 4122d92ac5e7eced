"""
``kubectl podtab``: what all nodes know, asked with the rights of the person who asks.

``client`` speaks to the API server, ``agents`` finds the agents there and asks them through its proxy; ``top``, ``calls``, ``coverage``
and ``doctor`` put their answers together, ``report`` says which of them are missing.
"""

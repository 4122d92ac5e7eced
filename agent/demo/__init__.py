"""
The main job, shown end to end on one machine: ``podtab demo``.

Sample workloads (the providers' official SDKs, unchanged) call the providers' own host names, which in a private network and
mount namespace lead to a *fake* provider.  The fake keeps books of what it served; the agent, with real probes, knows nothing
of them.  At the end the two are compared, pod by pod.
"""

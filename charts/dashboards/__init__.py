"""
Grafana's dashboards, as code: ``make dashboards`` writes charts/podtab/dashboards/*.json.

    metrics (agent/sinks/metrics.py) → promql → panels → overview | workload | models | capture → JSON
                                                                     queries → every query, for tests and pictures
                                                                     picture → a PNG of the JSON and real results

The names of metrics and labels are the agent's own, so a panel cannot ask for what is not there.
"""

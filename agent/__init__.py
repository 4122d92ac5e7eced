"""podtab: a running tab of what every pod spends on AI."""

__version__ = "0.1.0"

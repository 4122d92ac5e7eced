from dataclasses import dataclass as value

__all__ = ["value"]

"""
``podtab doctor``: what capture needs, what this machine has, and how to get what is missing.

``facts`` looks at the machine and judges nothing; ``checks`` judges facts and looks at nothing; ``report`` shows.  So every
judgement is tested with made-up machines.
"""

from agent.doctor.checks import Check, Grade, examine
from agent.doctor.facts import Facts, collect
from agent.doctor.report import exit_code, of_running_agent, run

__all__ = ["Check", "Facts", "Grade", "collect", "examine", "exit_code", "of_running_agent", "run"]

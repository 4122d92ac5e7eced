"""What both capture and attribution ask the machine: cgroups and the containers their paths name."""

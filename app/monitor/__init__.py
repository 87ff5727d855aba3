"""What is watched: logs, the machine, later what users do."""

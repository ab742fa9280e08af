"""A cluster on this machine that can be watched while it loses servers and agents: `dnslb demo`."""

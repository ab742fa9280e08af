"""What the balancer does and why: pure functions, with no clock, no chance, no log and no I/O in them."""

"""Clusters in virtual time: the code that runs in production, against a simulated provider, network and fleet."""

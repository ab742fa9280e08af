"""The authoritative DNS server that answers from the `local` record manager."""

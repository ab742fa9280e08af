"""The command `dnslb`: one small module a subcommand."""

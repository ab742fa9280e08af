"""The plugins that ship with dnslb, registered through the same hooks as any other."""

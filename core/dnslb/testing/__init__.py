"""What plugin authors test with: a conformance kit a kind, and the fakes that dnslb itself is tested with."""

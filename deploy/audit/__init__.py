"""The supply chain: hashes, a bill of materials, known holes and doubtful code."""

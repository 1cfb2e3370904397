"""From a decision to what an inverter understands."""

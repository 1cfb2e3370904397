"""Battery-side dialects of RS485, in which the inverter asks and we answer; one file a dialect."""

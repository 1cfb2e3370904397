"""Register maps: batteries that are read by Modbus, as data under profiles/registers."""

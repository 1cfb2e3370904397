"""CAN dumps: read them in bulk, decode them by columns, say what is in them and what is wrong."""

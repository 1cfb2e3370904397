"""The only importers of pyserial, bleak and python-can sockets: open, read, write, reconnect."""

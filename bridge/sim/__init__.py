"""Simulated cells, packs that speak the real protocols, and inverters with real timeouts."""

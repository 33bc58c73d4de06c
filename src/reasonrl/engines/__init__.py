"""Engines: who samples and who learns, behind the two protocols of `engines.protocols`."""

"""Engines that sample and engines that learn, behind the two protocols of `protocols`."""

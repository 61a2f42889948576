"""Deals and the stages they go through."""

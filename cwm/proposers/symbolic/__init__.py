"""Induction of programs from transitions, without a language model."""

"""Strangers' words made fit for people. Pure, linear, raises nothing."""

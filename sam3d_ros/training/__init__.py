# SPDX-License-Identifier: Apache-2.0
"""Recipes that train the models this project ships; torch only here."""

# SPDX-License-Identifier: Apache-2.0
"""Prompts of a session: what is asked for, how it was answered, and what stands of it."""

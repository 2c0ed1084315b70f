# SPDX-License-Identifier: Apache-2.0
"""Sensor messages to arrays and back."""

# SPDX-License-Identifier: Apache-2.0
"""Adapter to an official SAM 3D Body installation that the user made; none of it is here."""

# SPDX-License-Identifier: Apache-2.0
"""What things look like: paint, prints, patterns, materials."""

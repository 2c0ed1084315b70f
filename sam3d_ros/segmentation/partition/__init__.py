# SPDX-License-Identifier: Apache-2.0
"""A frame taken apart by geometry: from local planes to patches, and from these to things."""

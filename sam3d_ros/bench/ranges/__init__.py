# SPDX-License-Identifier: Apache-2.0
"""How well ranges are known, source by source, against the truth of worlds."""

# SPDX-License-Identifier: Apache-2.0
"""Results to files: PLY, GLB, scene.json, report.json, result recordings."""

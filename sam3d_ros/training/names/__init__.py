# SPDX-License-Identifier: Apache-2.0
"""Training of what names objects: labelled looks at made-up worlds, features, a small head."""

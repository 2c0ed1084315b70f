# SPDX-License-Identifier: Apache-2.0
"""Pure numpy: cameras, transforms, planes, alignment, meshes."""

# SPDX-License-Identifier: Apache-2.0
"""Names from looks: a picture encoder of ONNX Runtime, and a head for look, shape and size."""

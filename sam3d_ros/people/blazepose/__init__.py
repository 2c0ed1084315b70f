# SPDX-License-Identifier: Apache-2.0
"""BlazePose: people and hands in a colour image, by four small networks in ONNX Runtime."""

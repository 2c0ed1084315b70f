# SPDX-License-Identifier: Apache-2.0
"""BlazePose and its hands, from the .tflite files of the wheel of mediapipe to ONNX.

For developers, once: ``python -m sam3d_ros.training.people.convert WHEEL --models models`` in an
environment with ``onnx``, ``onnxruntime``, ``tflite`` and ``ai-edge-litert`` (models/people.md
names the versions). Neither mediapipe nor these are needed to run what comes out. Weights are kept
as float16, as they are in the wheel, and sums are made in float32.

The interpreter of ai-edge-litert unpacks the weights (some are sparse) and gives the outputs that
the result is compared with; the graph is translated operator by operator, from channels last to
channels first.
"""

from __future__ import annotations

import argparse
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
OPSET = 17
NETWORKS = {
    'person_detector': ('pose_detection/pose_detection', {0: 'boxes', 1: 'scores'}),
    'person_landmarks': (
        'pose_landmark/pose_landmark_full',
        {0: 'landmarks', 1: 'presence', 4: 'world'},
    ),
    'palm_detector': ('palm_detection/palm_detection_full', {0: 'boxes', 1: 'scores'}),
    'hand_landmarks': (
        'hand_landmark/hand_landmark_lite',
        {0: 'landmarks', 1: 'presence', 2: 'right', 3: 'world'},
    ),
}
"""Our name of each network: its file in the wheel, and which outputs are kept, by our names."""
EVERY = 23
"""Of the many answers of a detector, every so many-th is recorded."""
TOLERANCE = 1e-3
"""Largest difference to the interpreter's outputs, as a share of their largest value."""


@dataclass
class Translation:
    """One .tflite graph on its way to ONNX.

    :param interpreter: an allocated ``ai_edge_litert`` interpreter that keeps all tensors and has
        run once.
    :param graph: the same file as ``tflite`` reads it, its only subgraph.
    :param codes: builtin operator codes of the file, by index.
    """

    interpreter: Any
    graph: Any
    codes: list[int]
    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)

    def constant(self, name: str, values: Array) -> str:
        """Return the name of a constant of the ONNX graph, kept once."""
        self.constants.setdefault(name, values)
        return name

    def values(self, index: int) -> Array:
        """Return a tensor's values as the interpreter unpacked them."""
        return np.array(self.interpreter.get_tensor(index))

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Append an ONNX node; return the name of its output."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def shape(self, index: int) -> list[int]:
        """Return a tensor's shape, channels last where it has four axes."""
        return [int(size) for size in self.graph.Tensors(index).ShapeAsNumpy()]

    def operand(self, index: int, computed: set[int]) -> str:
        """Return the name of an operand: what was computed, or a constant, channels first."""
        if index in computed:
            return f't{index}'
        values = self.values(index).astype(np.float32)
        if values.ndim == 4:
            values = values.transpose(0, 3, 1, 2)
        elif values.ndim == 3:  # slopes of PRelu, (1, 1, C)
            values = values.transpose(2, 0, 1)
        return self.constant(f'c{index}', values)


def convert(content: bytes, outputs: dict[int, str]) -> tuple[bytes, Array, dict[str, Array]]:
    """Return the ONNX file of a .tflite file, an input, and what the interpreter makes of it.

    :param content: bytes of the .tflite file.
    :param outputs: which of its outputs are kept, and what they are called.
    :raises ValueError: when it has an operator that is not translated.
    """
    import onnx
    import tflite
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    from onnx import TensorProto, helper, numpy_helper

    interpreter = Interpreter(
        model_content=content,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    model = tflite.Model.GetRootAsModel(content, 0)
    graph = model.Subgraphs(0)
    (entry,) = graph.InputsAsNumpy().tolist()
    image = smooth_noise(interpreter.get_input_details()[0]['shape'])
    interpreter.set_tensor(entry, image)
    interpreter.invoke()
    codes = [
        max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        for code in map(model.OperatorCodes, range(model.OperatorCodesLength()))
    ]
    work = Translation(interpreter, graph, codes)
    work.add('Transpose', ['image'], f't{entry}', perm=[0, 3, 1, 2])
    _translate(work, {entry})
    kept = graph.OutputsAsNumpy().tolist()
    expected = {}
    for number, name in outputs.items():
        index = kept[number]
        expected[name] = work.values(index)
        is_map = len(work.shape(index)) == 4
        if is_map:
            work.add('Transpose', [f't{index}'], name, perm=[0, 2, 3, 1])
        else:
            work.add('Identity', [f't{index}'], name)
    halves = [name for name, values in work.constants.items() if values.dtype == np.float32]
    casts = [
        helper.make_node('Cast', [f'{name}_half'], [name], to=TensorProto.FLOAT) for name in halves
    ]
    initializers = [
        numpy_helper.from_array(values.astype(np.float16), f'{name}_half')
        if name in halves
        else numpy_helper.from_array(values, name)
        for name, values in work.constants.items()
    ]
    made = helper.make_graph(
        [*casts, *work.nodes],
        'people',
        [helper.make_tensor_value_info('image', TensorProto.FLOAT, image.shape)],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, values.shape)
            for name, values in expected.items()
        ],
        initializers,
    )
    file = helper.make_model(made, opset_imports=[helper.make_opsetid('', OPSET)], ir_version=8)
    file = _pruned(file)
    onnx.checker.check_model(file)
    return file.SerializeToString(), image, expected


def smooth_noise(shape: Array) -> Array:
    """Return a (1, H, W, 3) float32 picture of coloured blobs, 0..1, the same every time."""
    import cv2

    rng = np.random.default_rng(0)
    _, height, width, _ = shape
    coarse = rng.random((12, 12, 3), np.float32)
    picture = cv2.resize(coarse, (int(width), int(height)), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture, 0, 1)[None].astype(np.float32)


def _translate(work: Translation, computed: set[int]) -> None:
    """Translate every operator, in order; ``computed`` holds the tensors that are not constant."""
    import tflite

    B = tflite.BuiltinOperator
    for number in range(work.graph.OperatorsLength()):
        node = work.graph.Operators(number)
        code = work.codes[node.OpcodeIndex()]
        inputs, (out,) = node.InputsAsNumpy().tolist(), node.OutputsAsNumpy().tolist()
        if inputs[0] not in computed and code in (B.DEQUANTIZE, B.DENSIFY):
            continue  # constants: the interpreter has done it
        name, after = f't{out}', f't{out}'
        options: Any = None
        if (union := node.BuiltinOptions()) is not None:
            kind = {
                B.CONV_2D: tflite.Conv2DOptions,
                B.DEPTHWISE_CONV_2D: tflite.DepthwiseConv2DOptions,
                B.MAX_POOL_2D: tflite.Pool2DOptions,
                B.ADD: tflite.AddOptions,
                B.RESIZE_BILINEAR: tflite.ResizeBilinearOptions,
                B.DEPTH_TO_SPACE: tflite.DepthToSpaceOptions,
                B.CONCATENATION: tflite.ConcatenationOptions,
                B.FULLY_CONNECTED: tflite.FullyConnectedOptions,
            }.get(code)
            if kind is not None:
                options = kind()
                options.Init(union.Bytes, union.Pos)
        activation = 0
        if hasattr(options, 'FusedActivationFunction'):
            activation = options.FusedActivationFunction()
        if activation:
            after, name = name, f'{name}_linear'
        x = work.operand(inputs[0], computed)
        if code in (B.CONV_2D, B.DEPTHWISE_CONV_2D):
            weights = work.values(inputs[1]).astype(np.float32)
            is_depthwise = code == B.DEPTHWISE_CONV_2D
            # (out, h, w, in), or (1, h, w, channels)
            weights = weights.transpose((3, 0, 1, 2) if is_depthwise else (0, 3, 1, 2))
            bias = work.constant(f'c{inputs[2]}', work.values(inputs[2]).astype(np.float32))
            stride = options.StrideH(), options.StrideW()
            work.add(
                'Conv',
                [x, work.constant(f'c{inputs[1]}', weights), bias],
                name,
                strides=stride,
                pads=_pads(work.shape(inputs[0]), weights.shape[2:], stride, options.Padding()),
                group=weights.shape[0] if is_depthwise else 1,
            )
        elif code == B.MAX_POOL_2D:
            size = options.FilterHeight(), options.FilterWidth()
            stride = options.StrideH(), options.StrideW()
            pads = _pads(work.shape(inputs[0]), size, stride, options.Padding())
            work.add('MaxPool', [x], name, kernel_shape=size, strides=stride, pads=pads)
        elif code == B.ADD:
            work.add('Add', [x, work.operand(inputs[1], computed)], name)
        elif code == B.PRELU:
            work.add('PRelu', [x, work.operand(inputs[1], computed)], name)
        elif code == B.LOGISTIC:
            work.add('Sigmoid', [x], name)
        elif code == B.PAD:
            before_after = work.values(inputs[1])[[0, 3, 1, 2]].T.reshape(-1).astype(np.int64)
            work.add('Pad', [x, work.constant(f'c{inputs[1]}', before_after)], name)
        elif code == B.RESIZE_BILINEAR:
            place = 'half_pixel' if options.HalfPixelCenters() else 'asymmetric'
            if options.AlignCorners():
                place = 'align_corners'
            sizes = np.array([work.shape(out)[axis] for axis in (0, 3, 1, 2)], np.int64)
            inputs_of_resize = [x, '', '', work.constant(f'{name}_sizes', sizes)]
            mode = {'mode': 'linear', 'coordinate_transformation_mode': place}
            work.add('Resize', inputs_of_resize, name, **mode)
        elif code == B.DEPTH_TO_SPACE:
            work.add('DepthToSpace', [x], name, blocksize=options.BlockSize(), mode='DCR')
        elif code == B.MEAN:
            keep = len(work.shape(out)) == 4
            work.add('ReduceMean', [x], name, axes=[2, 3], keepdims=int(keep))
        elif code == B.RESHAPE:
            if len(work.shape(inputs[0])) == 4:
                x = work.add('Transpose', [x], f'{name}_last', perm=[0, 2, 3, 1])
            sizes = np.array(work.shape(out), np.int64)
            work.add('Reshape', [x, work.constant(f'{name}_sizes', sizes)], name)
        elif code == B.CONCATENATION:
            axis = options.Axis() % len(work.shape(out))
            if len(work.shape(out)) == 4:
                axis = (0, 2, 3, 1)[axis]
            names = [work.operand(index, computed) for index in inputs]
            work.add('Concat', names, name, axis=axis)
        elif code == B.FULLY_CONNECTED:
            weights = work.values(inputs[1]).astype(np.float32)
            bias = work.constant(f'c{inputs[2]}', work.values(inputs[2]).astype(np.float32))
            x = work.add('Flatten', [x], f'{name}_flat')
            work.add('Gemm', [x, work.constant(f'c{inputs[1]}', weights), bias], name, transB=1)
        else:
            raise ValueError(f'operator {code} of node {number} is not translated')
        if activation == tflite.ActivationFunctionType.RELU:
            work.add('Relu', [name], after)
        elif activation == tflite.ActivationFunctionType.RELU6:
            zero = work.constant('zero', np.array(0, np.float32))
            work.add('Clip', [name, zero, work.constant('six', np.array(6, np.float32))], after)
        elif activation:
            raise ValueError(f'activation {activation} of node {number} is not translated')
        computed.add(out)


def _pads(shape: list[int], kernel: Any, stride: tuple[int, int], padding: int) -> list[int]:
    """Return ONNX pads (top, left, bottom, right) of TensorFlow's SAME (0) or VALID (1)."""
    if padding == 1:
        return [0, 0, 0, 0]
    totals = [
        max((-(-size // step) - 1) * step + int(k) - size, 0)
        for size, k, step in zip(shape[1:3], kernel, stride, strict=True)
    ]
    return [totals[0] // 2, totals[1] // 2, totals[0] - totals[0] // 2, totals[1] - totals[1] // 2]


def _pruned(file: Any) -> Any:
    """Return a model without the nodes and constants that no output needs."""
    graph = file.graph
    needed = {output.name for output in graph.output}
    nodes = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            nodes.append(node)
            needed |= set(node.input)
    del graph.node[:]
    graph.node.extend(reversed(nodes))
    constants = [item for item in graph.initializer if item.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(constants)
    return file


def main() -> None:
    """Convert all networks of a wheel and say how far each is from the interpreter."""
    import onnxruntime

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('wheel', type=Path, help='mediapipe-0.10.21-*.whl')
    parser.add_argument('--vectors', type=Path, help='record what the interpreter answers (.npz)')
    parser.add_argument('--models', type=Path, default=Path('models'), help='where ONNX files go')
    args = parser.parse_args()
    recorded = {}
    with zipfile.ZipFile(args.wheel) as wheel:
        for name, (file, outputs) in NETWORKS.items():
            content = wheel.read(f'mediapipe/modules/{file}.tflite')
            made, image, expected = convert(content, outputs)
            (args.models / f'{name}.onnx').write_bytes(made)
            session = onnxruntime.InferenceSession(made, providers=['CPUExecutionProvider'])
            found = dict(zip(expected, session.run(list(expected), {'image': image}), strict=True))
            for key, values in expected.items():
                is_many = values.ndim == 3
                recorded[f'{name}.{key}'] = values[:, ::EVERY] if is_many else values
                share = float(np.abs(found[key] - values).max() / max(1.0, np.abs(values).max()))
                print(f'{name}.{key}: {share:.1e} from the interpreter')  # noqa: T201
                if share > TOLERANCE:
                    raise SystemExit(f'wanted at most {TOLERANCE:.0e}')
    if args.vectors:
        with args.vectors.open('wb') as file:
            np.savez_compressed(file, allow_pickle=False, **recorded)


if __name__ == '__main__':
    main()

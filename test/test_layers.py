# SPDX-License-Identifier: Apache-2.0
"""Imports go down the layers of the design, and heavy packages stay behind their doors."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

PACKAGE = Path(__file__).parents[1] / 'sam3d_ros'
# From the top; what stands in one line does not import each other, but for the programs.
LAYERS = (
    ('cli', 'nodes'),
    ('ros',),
    ('bench', 'training'),
    ('sinks',),
    ('viewer',),
    ('export',),
    ('session',),
    ('pipeline',),
    ('scene', 'language', 'tracking', 'reconstruction', 'segmentation', 'people', 'pointmaps'),
    ('masks3d',),
    ('world',),
    ('bags',),
    ('messages',),
    ('geometry',),
    ('core', 'setup'),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
# Beside the product: through ros/ they reach the wire, when a function runs.
BESIDE = ('bench', 'training')
PROGRAMS = {('cli', 'nodes')}

BASE = {'cv2', 'numpy', 'rich', 'rosbags', 'scipy', 'xatlas', 'yaml'}
VIEWER = {'PIL', 'open3d', 'trimesh', 'viser', 'websockets'}
BENCH = {'manifold3d', 'matplotlib', 'mujoco', 'open3d', 'trimesh'}
TRAIN = {'accelerate', 'onnx', 'onnxscript', 'safetensors', 'torch', *BENCH}
MESSAGES = {'builtin_interfaces', 'action_msgs', 'diagnostic_msgs', 'geometry_msgs'}
MESSAGES |= {'lifecycle_msgs', 'moveit_msgs', 'rcl_interfaces', 'rosgraph_msgs', 'sam3d_msgs'}
MESSAGES |= {'sensor_msgs', 'shape_msgs', 'std_msgs', 'std_srvs', 'tf2_msgs', 'vision_msgs'}
MESSAGES |= {'visualization_msgs'}
ROS = {'rclpy', 'rpyutils', 'cv_bridge', 'message_filters', 'tf2_ros', *MESSAGES}
LEARNED = {'onnxruntime', 'torch', 'transformers', 'safetensors', 'einops', 'tokenizers'}
AT_IMPORT = {
    'world': BASE | BENCH,
    'viewer': BASE | VIEWER,
    'training': BASE | TRAIN,
    'ros': BASE | ROS,
    'nodes': BASE | ROS,
    'setup': set(),
}


@dataclass(frozen=True)
class Import:
    """One import: who, what, and whether it happens when the module is loaded."""

    module: str
    imported: str
    at_load: bool

    @property
    def layer(self) -> str:
        return self.module.split('.')[1]

    @property
    def root(self) -> str:
        return self.imported.partition('.')[0]

    def __str__(self) -> str:
        return f'{self.module} imports {self.imported}'


def modules() -> dict[str, Path]:
    found = {}
    for file in sorted(PACKAGE.rglob('*.py')):
        parts = file.relative_to(PACKAGE.parent).with_suffix('').parts
        if len(parts) > 2:
            found['.'.join(parts[:-1] if parts[-1] == '__init__' else parts)] = file
    return found


def imports_of(module: str, file: Path) -> Iterator[Import]:
    def visit(node: ast.AST, at_load: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for name in child.names:
                    yield Import(module, name.name, at_load)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f'{module}: relative import'
                for name in child.names:
                    whole = f'{child.module}.{name.name}'
                    yield Import(module, whole if whole in MODULES else child.module, at_load)
            elif isinstance(child, ast.If) and 'TYPE_CHECKING' in ast.unparse(child.test):
                yield from visit(child, False)
            else:
                is_function = isinstance(
                    child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
                )
                yield from visit(child, at_load and not is_function)

    yield from visit(ast.parse(file.read_text()), True)


MODULES = modules()
IMPORTS = [item for module, file in MODULES.items() for item in imports_of(module, file)]
OURS = [item for item in IMPORTS if item.root == 'sam3d_ros' and item.imported.count('.')]
OTHERS = [item for item in IMPORTS if item.root not in {'sam3d_ros', *sys.stdlib_module_names}]


def test_every_package_is_a_layer() -> None:
    assert {module.split('.')[1] for module in MODULES} == RANK.keys()


def allowed(item: Import) -> bool:
    layer, other = item.layer, item.imported.split('.')[1]
    if layer == other or (layer, other) in PROGRAMS:
        return True
    if layer in BESIDE and other in {'ros', 'nodes'}:
        return not item.at_load
    return RANK[layer] < RANK[other]


def test_imports_go_down() -> None:
    assert [str(item) for item in OURS if not allowed(item)] == []


def test_rule_knows_up_from_down() -> None:
    assert allowed(Import('sam3d_ros.scene.memory', 'sam3d_ros.core.types', True))
    assert not allowed(Import('sam3d_ros.core.types', 'sam3d_ros.scene.memory', True))
    assert not allowed(Import('sam3d_ros.scene.memory', 'sam3d_ros.tracking.overlap', False))
    assert not allowed(Import('sam3d_ros.bench.live.latency', 'sam3d_ros.ros.qos', True))
    assert allowed(Import('sam3d_ros.bench.live.latency', 'sam3d_ros.ros.qos', False))


def test_rclpy_only_in_the_ros_layer_and_the_nodes() -> None:
    users = {item.module for item in OTHERS if item.root in ROS}
    assert [user for user in sorted(users) if user.split('.')[1] not in {'ros', 'nodes'}] == []


def test_manifest_names_every_ros_package_that_is_imported() -> None:
    manifest = ElementTree.parse(PACKAGE.parent / 'package.xml').getroot()
    declared = {node.text for node in manifest.iter('exec_depend')}
    assert {item.root for item in OTHERS if item.root in ROS - {'rpyutils'}} <= declared


@pytest.mark.parametrize('layer', sorted(RANK))
def test_loading_a_layer_needs_only_its_packages(layer: str) -> None:
    known = AT_IMPORT.get(layer, BASE) | LEARNED  # the next test says where those may be
    wrong = [item for item in OTHERS if item.layer == layer and item.at_load]
    assert [str(item) for item in wrong if item.root not in known and not separate(item)] == []


def separate(item: Import) -> bool:
    """Tell a program for another interpreter: it and ours do not import each other."""
    its = [other for other in OURS if item.module in (other.module, other.imported)]
    return not its


def test_learned_packages_are_loaded_only_when_chosen() -> None:
    """torch and its like load inside a backend's own folder, which only its entry point opens."""
    loading = {item.module for item in OTHERS if item.root in LEARNED and item.at_load}
    while True:
        more = {item.module for item in OURS if item.at_load and item.imported in loading}
        if more <= loading:
            break
        loading |= more
    outside = [module for module in loading if module.split('.')[1] != 'training']
    # sam3d_ros.<stage>.<backend>.<module>
    assert [module for module in sorted(outside) if module.count('.') < 3] == []

"""Weights and large arrays: native files that other programs read, without a second copy in memory."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.capture.safetensors import Entry, write_safetensors
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import NotCapturable
from jupyter_deploy.serving.natives import safetensors as loader
from jupyter_deploy.serving.natives.mapped import buffer
from jupyter_deploy.serving.snapshot import load
from jupyter_deploy.system.digests import file_sha256
from tests.contract.models import torch as models

pytestmark = pytest.mark.usefixtures("forked_replays")


@pytest.fixture(scope="module")
def capturer(tmp_path_factory):
    return ModelCapturer(tmp_path_factory.mktemp("weights"), Tolerance(), replay_timeout=120)


def tensors_in(folder, name="model.safetensors", framework="pt"):
    with safe_open(folder / name, framework) as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - it cannot be iterated


def test_the_safetensors_library_reads_the_weights_by_the_names_of_state_dict(stage):
    built = models.mlp()
    read = tensors_in(stage(built.model, built.example).folder)
    state = built.model.state_dict()
    assert read.keys() == state.keys()
    assert all(torch.equal(read[name], state[name]) for name in state)


def test_tied_weights_are_written_once_and_are_one_again(stage):
    built = models.encoder()
    folder = stage(built.model, built.example).folder
    assert "head.weight" not in tensors_in(folder)
    loaded = load(folder).native
    assert loaded.head.weight is loaded.words.weight


class Zoo(nn.Module):
    """One of each kind of tensor that people keep in a module."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.linear.bias.requires_grad_(False)
        self.frozen = nn.Parameter(torch.arange(3.0), requires_grad=False)
        self.image = nn.Conv2d(2, 3, 3).to(memory_format=torch.channels_last)
        self.register_buffer("brain", torch.ones(3, dtype=torch.bfloat16))
        self.register_buffer("phase", torch.full((3,), 1 + 2j))
        self.register_buffer("window", self.linear.weight.detach()[1:, :2].t())
        self.register_buffer("scalar", torch.tensor(3, dtype=torch.int8))
        self.register_buffer("nothing", torch.empty(0, 4))
        self.coo, self.csr = torch.eye(3).to_sparse(), torch.eye(3).to_sparse_csr()
        self.tiny = torch.quantize_per_tensor(torch.tensor([0.5, 1.0]), 0.5, 0, torch.qint8)
        self.word = torch.tensor([1, 65535], dtype=torch.uint16)
        self.conjugate = self.phase.conj()
        self.parent = [self]

    def forward(self, rows):
        return self.linear(rows)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_kind_of_tensor_comes_back_as_it_was(stage):
    torch.manual_seed(0)
    zoo = Zoo()
    folder = stage(zoo, torch.ones(2, 3)).folder
    back = load(folder).native
    for name in ("frozen", "brain", "phase", "window", "scalar", "nothing", "word", "conjugate"):
        one, other = getattr(zoo, name), getattr(back, name)
        assert (type(one), one.dtype, one.stride(), one.requires_grad) == (
            type(other), other.dtype, other.stride(), other.requires_grad,
        ), name  # fmt: skip
        assert torch.equal(one, other), name
    assert torch.equal(back.coo.to_dense(), torch.eye(3))
    assert back.csr.layout is torch.sparse_csr
    assert torch.equal(back.tiny.dequantize(), torch.tensor([0.5, 1.0]))
    assert back.image.weight.is_contiguous(memory_format=torch.channels_last)
    assert isinstance(back.linear.weight, nn.Parameter)
    assert (back.linear.weight.requires_grad, back.linear.bias.requires_grad) == (True, False)
    assert back.window.untyped_storage().data_ptr() == back.linear.weight.untyped_storage().data_ptr()
    assert back.parent[0] is back
    # What the format has no word for is there as bytes.
    read = tensors_in(folder)
    assert read["brain"].dtype is torch.bfloat16
    assert read["phase"].dtype is torch.uint8
    assert read["image.weight"].shape == (3 * 2 * 3 * 3 * 4,)


def test_what_a_process_writes_into_its_weights_stays_its_own(stage):
    module = nn.Linear(200, 200)
    folder = stage(module, torch.ones(1, 200)).folder
    before = file_sha256(folder / "model.safetensors")
    one = load(folder).native
    with torch.no_grad():
        one.weight.fill_(0)
    assert file_sha256(folder / "model.safetensors") == before
    assert torch.equal(load(folder, f"sha256:{file_sha256(folder / 'snapshot.json')}").native.weight, module.weight)


def test_a_changed_weight_is_another_content_and_the_same_weights_are_the_same(stage):
    module = nn.Linear(3, 2)
    one, again = (stage(module, torch.ones(1, 3)).fingerprint for _ in range(2))
    assert one == again
    with torch.no_grad():
        module.weight[0, 0] += 1e-6
    assert stage(module, torch.ones(1, 3)).fingerprint != one


@pytest.mark.parametrize("sizes", [[5, 64, 12, 8, 3], [0, 1, 128, 0, 24], []])
def test_odd_sizes_leave_no_gap_and_begin_where_their_type_may_begin(tmp_path, sizes):
    path = tmp_path / "some.safetensors"
    contents = {f"é{number}": bytes([number]) * size for number, size in enumerate(sizes)}
    digest = write_safetensors(
        path, [Entry(name, "U8", (len(data),), len(data), lambda data=data: data) for name, data in contents.items()]
    )
    assert digest == file_sha256(path)
    assert {name: array.tobytes() for name, array in tensors_in(tmp_path, path.name, "np").items()} == contents
    header = json.loads(path.read_bytes()[8 : 8 + int.from_bytes(path.read_bytes()[:8], "little")])
    start = path.stat().st_size - sum(sizes)
    for name, data in contents.items():
        offset = start + header[name]["data_offsets"][0]
        assert offset % min(64, len(data) & -len(data) or 64) == 0
        found, begin, length = buffer(path, name)
        assert bytes(memoryview(found)[begin : begin + length]) == data


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (lambda: nn.Linear(3, 2, device="meta"), r"Linear\.weight has a shape but no values"),
        (lambda: nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2, device="meta")), r"Sequential\.1\.weight has a shape"),
        (lambda: nn.Sequential(nn.LazyLinear(2)), r"Sequential\.0\.weight is not initialised"),
        (lambda: torch.jit.script(nn.Linear(3, 2)), "TorchScript"),
        (
            lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))),
            r"Sequential\.0\.weight is parametrised(.|\n)*remove_parametrizations",
        ),
    ],
    ids=["meta", "half on meta", "lazy", "script", "parametrised"],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_module_without_values_or_that_torch_cannot_pickle_is_refused_before_a_call(stage, module, words):
    made = module()
    with pytest.raises(NotCapturable, match=words):
        stage(made, torch.ones(1, 3))


def test_weights_return_to_their_device_or_an_error_names_it(stage):
    folder = stage(nn.Linear(3, 2), torch.ones(1, 3)).folder
    with pytest.raises(RuntimeError, match=r"deserialize object on (a )?CUDA device"):
        loader.load(folder, "model.safetensors", "bias", torch.float32, "cuda:99")


def test_what_cannot_leave_the_process_is_found_within_a_module(stage):
    import threading

    module = nn.Sequential(nn.Linear(3, 2))
    module[0].guard = threading.Lock()
    with pytest.raises(NotCapturable, match=r"model\._modules\['0'\]\.guard is a _thread\.lock"):
        stage(module, torch.ones(1, 3))


def test_an_example_that_is_a_few_rows_of_a_large_tensor_is_stored_as_these_rows(stage):
    everything = torch.rand(100_000, 4)
    staged = stage(nn.Linear(4, 1), everything[:3])
    assert (staged.folder / "example.pkl").stat().st_size < 20_000
    assert load(staged.folder).replay_example() == staged.manifest.predictions


def test_hyperparameters_tell_sizes_and_layers(stage):
    built = models.mlp()
    built.model[0].requires_grad_(False)
    told = stage(built.model, built.example).manifest.hyperparameters
    assert (told["parameters"], told["trainable"], told["dtypes"]) == (58, 18, {"float32": 4})
    assert told["layers"]["2"] == "Dropout(p=0.5, inplace=False)"


def test_large_arrays_within_any_model_are_mapped_and_lie_in_memory_as_they_did(stage):
    chance = np.random.default_rng(0)
    rows, columns = chance.random((400, 500)), np.asfortranarray(chance.random((400, 500)))
    fixed = chance.integers(9, size=300_000)
    fixed.flags.writeable = False
    records = np.zeros(100_000, [("a", "f8"), ("b", "i4")])
    small = np.arange(3)
    parts = {"rows": rows, "columns": columns, "fixed": fixed, "records": records, "small": small, "again": rows}

    def total(x):
        return float(sum(array.sum() for name, array in parts.items() if name != "records") + x.sum())

    staged = stage(total, np.ones(2))
    read = tensors_in(staged.folder, "arrays.safetensors", "np")
    assert len(read) == 4
    assert {array.shape for array in read.values()} == {(400, 500), (500, 400), (300_000,), (1_200_000,)}
    back = load(staged.folder).native.__closure__[0].cell_contents
    assert back["again"] is back["rows"]
    for name, array in parts.items():
        assert np.array_equal(back[name], array)
        assert (back[name].flags.f_contiguous, back[name].flags.writeable) == (
            array.flags.f_contiguous, array.flags.writeable,
        )  # fmt: skip
    assert back["rows"].ctypes.data % 64 == 0


PEAK = """
import re, sys, tempfile
from pathlib import Path
import numpy as np
import torch
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Source, Tolerance
from jupyter_deploy.domain.capture.ports import Live

def status(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

table = np.ones((1 << 20, 12))  # 96 MB
module = torch.nn.Linear(4096, 4096)  # 64 MB

def score(x):
    return float(table[0].sum() + module.weight[0, 0].item() + x)

capturer = ModelCapturer(Path(sys.argv[1]), Tolerance(), 60)
live = lambda model: Live(model, 1.0, Source(variable="model"), None, (), Path.cwd())
capturer.discard(capturer.stage(live(lambda x: x), "warm"))
Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS")
staged = capturer.stage(live(score), "large")
peak = status("VmHWM")
print(peak - before, sum(path.stat().st_size for path in staged.folder.iterdir()) / 2**20)
capturer.discard(staged)
"""


def test_a_large_model_is_captured_without_a_second_copy_in_memory(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", PEAK, tmp_path], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    more, size = map(float, ended.stdout.split())
    assert size > 155
    assert more < 0.2 * size


def test_a_module_in_train_mode_within_a_function_is_a_finding_if_answers_change(stage):
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.0))

    def told(model):
        found = stage(model, torch.ones(3, 2)).manifest.findings
        return [finding.message.partition(":")[0] for finding in found if finding.check == "train-mode"]

    assert told(lambda rows: net(rows).sum(dim=1)) == ["a BatchNorm1d within the model is in train mode"]
    assert told(net) == []
    net.eval()
    assert told(lambda rows: net(rows).sum(dim=1)) == []

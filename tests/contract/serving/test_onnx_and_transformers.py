"""ONNX models and Hugging Face pipelines: inputs, answers and refusals."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import InvalidExample, NotCapturable, UnknownSource
from jupyter_deploy.serving.natives import onnx as serving
from jupyter_deploy.serving.snapshot import load
from jupyter_deploy.system.digests import file_sha256
from tests.contract.capturing import capture
from tests.contract.models import onnx as models

pytestmark = pytest.mark.usefixtures("forked_replays")


@pytest.fixture(scope="module")
def pipelines():
    """Not imported by who collects tests: it takes seconds."""
    from tests.contract.models import transformers

    return transformers


@pytest.fixture(scope="module")
def capturer(tmp_path_factory):
    return ModelCapturer(tmp_path_factory.mktemp("onnx"), Tolerance(), replay_timeout=120)


def multiplication(name="x", kind=TensorProto.FLOAT):
    weight = numpy_helper.from_array(np.arange(6, dtype=helper.tensor_dtype_to_np_dtype(kind)).reshape(3, 2), "W")
    graph = helper.make_graph(
        [helper.make_node("MatMul", [name, "W"], ["y"])],
        "times",
        [helper.make_tensor_value_info(name, kind, [None, 3])],
        [helper.make_tensor_value_info("y", kind, [None, 2])],
        [weight],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_a_classifier_answers_label_and_probabilities_by_name(stage):
    built = models.session()
    staged = stage(built.model, built.example)
    assert set(staged.manifest.files) == {"model.pkl", "model.onnx", "example.pkl"}
    assert staged.manifest.framework == "onnx"
    label, probability = staged.manifest.predictions[0].values()
    assert list(staged.manifest.predictions[0]) == ["output_label", "output_probability"]
    assert max(probability, key=probability.get) == label
    loaded = load(staged.folder)
    assert loaded.native.session.get_session_options().intra_op_num_threads == 1
    assert loaded.replay_example() == staged.manifest.predictions
    assert onnx.load(staged.folder / "model.onnx").graph.name == "model"


def test_a_single_output_can_be_selected_by_name(stage):
    built = models.label()
    predictions = stage(built.model, built.example, built.method).manifest.predictions
    assert set(predictions) <= {"high", "low"}
    with pytest.raises(UnknownSource, match="no method 'label'"):
        stage(built.model, built.example, "label")


def test_columns_of_a_frame_go_to_the_inputs_of_their_names(stage):
    built = models.columns()
    staged = stage(built.model, built.example)
    assert staged.manifest.features == ("age", "home_town")
    asked = load(staged.folder).answer([{"age": 1, "home town": "Zug"}])
    assert set(asked[0]) == {"output_label", "output_probability"}
    with pytest.raises(InvalidExample, match="the model's input 'age' is not a column"):
        stage(built.model, built.example[["home town"]])
    with pytest.raises(InvalidExample, match="give a data frame with these columns, or a dict"):
        stage(built.model, built.example.to_numpy())


def test_an_input_may_have_a_name_that_is_no_identifier_or_be_a_dict_for_the_session(stage):
    model = multiplication("input.1")
    rows = np.ones((2, 3))
    assert stage(model, rows).manifest.predictions == [[6.0, 9.0], [6.0, 9.0]]
    assert stage(model, {"input_1": rows}).manifest.signature.parameters == ("input_1",)
    one = multiplication("X")
    assert stage(one, {"X": rows}).manifest.predictions == [[[6.0, 9.0], [6.0, 9.0]]]
    assert stage(one, rows.tolist()).manifest.predictions == [[6.0, 9.0], [6.0, 9.0]]


def test_numbers_are_cast_to_the_inputs_type_but_no_fraction_is_cut_off(stage):
    assert stage(multiplication(), np.ones((1, 3), "int64")).manifest.predictions == [[6.0, 9.0]]
    with pytest.raises(InvalidExample, match="Cannot cast"):
        stage(multiplication(kind=TensorProto.INT32), np.full((1, 3), 0.5))


def test_a_file_is_captured_with_the_weights_next_to_it(capturer, tmp_path):
    path = tmp_path / "model" / "times.onnx"
    path.parent.mkdir()
    onnx.save(multiplication(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    snapshot = capture(capturer, path, np.ones((1, 3), "float32"))
    path.parent.rename(tmp_path / "gone")
    assert {"model.onnx", "weights.bin"} <= set(snapshot.manifest.files)
    assert load(snapshot.path).answer([[1.0, 1.0, 1.0]]) == [[6.0, 9.0]]


def test_the_sessions_within_a_function_go_with_it(stage):
    content = multiplication().SerializeToString()
    first, second = onnxruntime.InferenceSession(content), onnxruntime.InferenceSession(content)

    def both(rows):
        feed = {"x": rows.astype("float32")}
        return first.run(None, feed)[0] + second.run(None, feed)[0]

    staged = stage(both, np.ones((1, 3)))
    assert {"model.onnx", "model-2.onnx"} <= set(staged.manifest.files)
    assert load(staged.folder).replay_example() == [[12.0, 18.0]]


def test_a_model_that_onnxruntime_cannot_read_or_reproduce_is_refused(stage, tmp_path):
    with pytest.raises(UnknownSource, match="there is no file"):
        stage(tmp_path / "none.onnx", np.ones((1, 3)))
    (tmp_path / "bad.onnx").write_bytes(b"abc")
    with pytest.raises(UnknownSource, match="onnxruntime cannot read this model"):
        stage(tmp_path / "bad.onnx", np.ones((1, 3)))
    (tmp_path / "good.onnx").write_bytes(multiplication().SerializeToString())
    session = onnxruntime.InferenceSession(tmp_path / "good.onnx")
    (tmp_path / "good.onnx").unlink()
    with pytest.raises(NotCapturable, match="is no longer there"):
        stage(session, np.ones((1, 3)))
    settings = (*serving.settings_of(session)[:4], ("FasterExecutionProvider",))
    with pytest.raises(RuntimeError, match="onnxruntime lacks FasterExecutionProvider"):
        serving.session_of(multiplication().SerializeToString(), settings)


def test_a_pipeline_answers_each_text_of_a_list_and_one_text_as_it_does(stage, pipelines):
    built = pipelines.texts()
    staged = stage(built.model, built.example)
    assert staged.manifest.signature.container == "list"
    assert staged.manifest.hyperparameters["task"] == "text-classification"
    assert [set(answer) for answer in staged.manifest.predictions] == [{"label", "score"}] * 2
    assert load(staged.folder).replay_example() == staged.manifest.predictions
    one = stage(built.model, "good film")
    assert one.manifest.instances == ["good film"]
    assert one.manifest.predictions == [[staged.manifest.predictions[0]]]


def test_earlier_calls_of_a_pipeline_do_not_change_its_fingerprint(stage, pipelines):
    built = pipelines.texts()
    before = stage(built.model, built.example)
    built.model(["good", "a longer bad film"], truncation=True, padding="max_length", max_length=7)
    again = stage(built.model, built.example)
    assert again.fingerprint == before.fingerprint
    assert file_sha256(again.folder / "model.pkl") == file_sha256(before.folder / "model.pkl")

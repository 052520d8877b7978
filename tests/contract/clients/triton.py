"""What Triton's own client gets; run in an environment of its own."""

import json
import sys

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException


def tensors(binary, times=1):
    """The three columns of the frame."""
    found = []
    for name, values, datatype in (
        ("age", np.array([30, 40, 50], np.int64), "INT64"),
        ("weight", np.array([60.5, 70.0, 80.25]), "FP64"),
        ("sex", np.array(["F", "M", "F"], dtype=object), "BYTES"),
    ):
        tensor = triton.InferInput(name, [3 * times], datatype)
        tensor.set_data_from_numpy(np.tile(values, times), binary_data=binary)
        found.append(tensor)
    return found


def refusal(call):
    """Return the message of the client's exception."""
    try:
        call()
    except InferenceServerException as refused:
        return f"{refused.status()}: {refused.message()}"
    return None


def main():
    place, host = sys.argv[1:]
    client = triton.InferenceServerClient(place, network_timeout=60, connection_timeout=60)

    def own():
        """New ones for each call: the client writes into them."""
        return {"Host": host} if host else {}

    told = {
        "live": client.is_server_live(headers=own()),
        "ready": client.is_server_ready(headers=own()),
        "model ready": client.is_model_ready("churn", headers=own()),
        "server": client.get_server_metadata(headers=own()),
        "model": client.get_model_metadata("churn", headers=own()),
        "version": client.get_model_metadata("churn", "aaa", headers=own())["versions"],
    }
    for binary in (False, True):
        for packing in (None, "gzip", "deflate"):
            outputs = [triton.InferRequestedOutput("output-0", binary_data=binary)]
            result = client.infer(
                "churn", tensors(binary), outputs=outputs, request_id="mine", headers=own(),
                request_compression_algorithm=packing, response_compression_algorithm=packing,
            )  # fmt: skip
            answer = result.as_numpy("output-0")
            told[f"{binary} {packing}"] = [answer.dtype.name, answer.tolist(), result.get_response()["id"]]
    told["by default"] = client.infer("churn", tensors(True), headers=own()).as_numpy("output-0").tolist()
    long = client.infer("churn", tensors(True, 200), headers=own(), response_compression_algorithm="gzip")
    told["long"] = long.as_numpy("output-0").tolist()
    half = triton.InferInput("input-0", [2, 2], "FP16")
    half.set_data_from_numpy(np.array([[1, 2], [3, 4.5]], np.float16))
    if not host:
        stretch = triton.InferenceServerClient(place.replace("churn", "stretch"))
        answer = stretch.infer("stretch", [half]).as_numpy("output-0")
        told["array"] = [answer.dtype.name, list(answer.shape), answer.tolist()]
    wrong = tensors(True)
    wrong[0] = triton.InferInput("age", [3], "BYTES")
    wrong[0].set_data_from_numpy(np.array(["30", "old", "50"], dtype=object))
    told["unfit"] = refusal(lambda: client.infer("churn", wrong, headers=own()))
    told["missing"] = refusal(lambda: client.infer("churn", tensors(True)[:2], headers=own()))
    told["unknown"] = refusal(lambda: client.infer("tumour", tensors(True), headers=own()))
    told["other version"] = refusal(lambda: client.infer("churn", tensors(True), "7", headers=own()))
    print(json.dumps(told))


main()

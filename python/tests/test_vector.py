from collections.abc import Mapping

import numpy as np
import pytest

import redline


def test_it_is_a_mapping_of_arrays(aligner, vector):
    assert list(vector) == list(vector.keys()) == list(range(aligner.n_layers))
    assert len(vector) == aligner.n_layers and 0 in vector and aligner.n_layers not in vector
    for layer, direction in vector.items():
        assert direction.shape == (aligner.hidden_size,) and direction.dtype == np.float32
        assert np.array_equal(direction, vector[layer])
        assert np.linalg.norm(direction.astype(np.float64)) == pytest.approx(vector.norms[layer])
    with pytest.raises(KeyError):
        vector[99]
    assert vector.get(99) is None and vector.get(99, 0) == 0 and np.array_equal(vector.get(1), vector[1])
    assert isinstance(vector, Mapping)


def test_algebra(vector):
    other = redline.ControlVector.from_numpy({layer: values[::-1] for layer, values in vector.items()})
    assert vector + other == other + vector
    assert vector - other == vector + (-other)
    assert 2 * vector == vector * 2 == vector + vector
    assert vector / 2 == vector * 0.5
    assert all(not values.any() for values in (vector - vector).values())
    with pytest.raises(ZeroDivisionError):
        vector / 0
    with pytest.raises(redline.RedlineError):
        vector * float("inf")


def test_numpy_round_trip(vector):
    assert redline.ControlVector.from_numpy(vector.directions) == vector
    with pytest.raises(redline.RedlineError, match="has 2 values, expected 1"):
        redline.ControlVector.from_numpy({0: [1.0], 1: [1.0, 2.0]})
    with pytest.raises(ValueError, match="one dimension"):
        redline.ControlVector.from_numpy({0: np.zeros((2, 2))})
    small = redline.ControlVector.from_numpy({0: [1.0, 2.0]})
    with pytest.raises(redline.RedlineError, match="values a layer"):
        vector + small


def test_tensors_need_no_import_of_their_library():
    class Dlpack:
        def __init__(self, array):
            self.array = array

        def __dlpack__(self, **options):
            return self.array.__dlpack__(**options)

        def __dlpack_device__(self):
            return self.array.__dlpack_device__()

    class Tensor:
        requires_grad = True

        def __init__(self, array):
            self.array = array

        def detach(self):
            return Detached(self.array)

    class Detached:
        def __init__(self, array):
            self.array = array

        def cpu(self):
            return self

        def numpy(self):
            return self.array

    array = np.arange(3, dtype=np.float32)
    expected = redline.ControlVector.from_numpy({1: array})
    assert redline.ControlVector.from_numpy({1: Dlpack(array)}) == expected
    assert redline.ControlVector.from_numpy({1: Tensor(array)}) == expected
    assert redline.ControlVector.from_numpy({1: [0, 1, 2]}) == expected


def test_files(vector, tmp_path):
    for name in ("vector.safetensors", "vector.gguf"):
        path = tmp_path / name
        vector.save(path)
        layers = {"layers": "all"} if name.endswith("safetensors") else {}
        assert redline.ControlVector.load(path, **layers) == vector
        with pytest.raises(redline.RedlineError) as caught:
            vector.save(path)
        assert "overwrite=True" in caught.value.hint
        vector.save(path, overwrite=True)
    with pytest.raises(redline.RedlineError) as caught:
        (vector * 2).save(tmp_path / "double.safetensors")
    assert ".gguf" in caught.value.hint
    (vector * 2).to_gguf(tmp_path / "double.gguf")
    assert redline.ControlVector.load(tmp_path / "double.gguf") / 2 == vector
    assert not (tmp_path / "double.safetensors").exists()


def test_layers_and_units(vector):
    part = vector.at_layers([1, 2])
    assert list(part) == [1, 2]
    assert vector.at_layers("1-2") == part
    unit = vector.at_layers("all", "unit")
    assert unit.norms == pytest.approx({layer: 1.0 for layer in unit}, abs=1e-5)
    with pytest.raises(redline.RedlineError):
        vector.at_layers([99])


def test_report_and_provenance(aligner, vector):
    assert [row["layer"] for row in vector.report] == list(range(aligner.n_layers))
    assert vector.provenance["model_hash"] == aligner.fingerprint
    assert (vector * 1).report is None

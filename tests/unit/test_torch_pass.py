"""Forward passes: what is held while the network runs, and how a GPU would be fed.

No GPU is needed: its copies run against a stand-in that writes down what is asked of it.
"""

import threading
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from likelens.encoders import base, torch_encoder, torch_pass
from likelens.encoders.running import Running
from likelens.encoders.torch_layers import OUTPUT
from likelens.encoders.torch_net import Net
from likelens.encoders.torch_pass import Copies, CopiesBeside, Passes, Reading
from likelens.values.spec import Spec

SPEC = Spec.parse("torch:flat")
READING = Reading(OUTPUT, "", SPEC)


def flat():
    def transform(picture):
        return np.asarray(picture.resize((4, 4)), np.float32).transpose(2, 0, 1) / 255

    return Net(torch.nn.Flatten().eval(), transform, None, {"penultimate": OUTPUT})


def test_on_the_processor_a_pass_is_the_module_alone():
    passes = Passes(flat(), None, "float32", "here")
    prepared = list(np.random.default_rng(0).random((5, 3, 4, 4), np.float32))
    assert type(passes._copies) is Copies
    (made,) = passes.run(prepared, [READING])
    np.testing.assert_array_equal(made, np.stack(prepared).reshape(5, -1))
    assert made.dtype == np.float32


def test_the_network_is_free_while_answers_come_back():
    """The first thread gets its answer only once the second has had the network run."""
    passes = Passes(flat(), None, "float32", "here")
    second_ran = threading.Event()

    class Slow(Copies):
        def fetch(self, values):
            back = super().fetch(values)
            if threading.current_thread().name == "second":
                second_ran.set()
                return back
            return lambda: back() if second_ran.wait(20) else pytest.fail("the network was held")

    passes._copies = Slow("cpu")
    made = {}

    def run(value):
        prepared = [np.full((3, 4, 4), value, np.float32)]
        made[value] = passes.run(prepared, [READING])[0]

    threads = [
        threading.Thread(target=run, args=(v,), name=n) for n, v in (("first", 1), ("second", 2))
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert made[1].tolist() == [[1] * 48]
    assert made[2].tolist() == [[2] * 48]


class Gpu:
    """What CopiesBeside asks of torch, written down in order."""

    def __init__(self):
        self.log, self.stack = [], ["computing"]
        self.cuda = self

    def Stream(self, device):
        return Stream(self, "copying")

    def current_stream(self, device):
        return Stream(self, self.stack[-1])

    @contextmanager
    def stream(self, stream):
        self.stack.append(stream.name)
        yield
        self.stack.pop()

    def from_numpy(self, array):
        return Tensor(self, array)


class Stream:
    def __init__(self, gpu, name):
        self.gpu, self.name = gpu, name

    def record_event(self):
        self.gpu.log.append(f"event of {self.name}")
        return Event(self.gpu, self.name)

    def wait_event(self, event):
        self.gpu.log.append(f"{self.name} waits for {event.name}")


class Event:
    def __init__(self, gpu, name):
        self.gpu, self.name = gpu, name

    def synchronize(self):
        self.gpu.log.append(f"the caller waits for {self.name}")


class Tensor:
    def __init__(self, gpu, array):
        self.gpu, self.array = gpu, array

    def pin_memory(self):
        self.gpu.log.append("pinned")
        return self

    def to(self, device, *, non_blocking):
        assert non_blocking
        self.gpu.log.append(f"copy to {device} by {self.gpu.stack[-1]}")
        return self

    def record_stream(self, stream):
        self.gpu.log.append(f"used by {stream.name}")

    def numpy(self):
        return self.array


def test_copies_to_a_gpu_run_beside_and_back_in_order(monkeypatch):
    gpu = Gpu()
    monkeypatch.setattr(torch_pass, "need_torch", lambda where: gpu)
    copies, batch = CopiesBeside("cuda:1"), np.arange(6.0)
    arrived = copies.send(batch)
    assert gpu.log == ["pinned", "copy to cuda:1 by copying", "event of copying"]
    gpu.log.clear()
    assert arrived().array is batch
    assert gpu.log == ["computing waits for copying", "used by computing"]
    gpu.log.clear()
    back = copies.fetch([Tensor(gpu, batch), Tensor(gpu, batch * 2)])
    assert gpu.log == ["copy to cpu by computing"] * 2 + ["event of computing"]
    gpu.log.clear()
    np.testing.assert_array_equal(back(), [batch, batch * 2])
    assert gpu.log == ["the caller waits for computing"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is here")
def test_a_gpu_gives_what_the_processor_gives():
    prepared = list(np.random.default_rng(0).random((9, 3, 4, 4), np.float32))
    passes = Passes(flat(), None, "float32", "here")
    expected = passes.run(prepared, [READING])
    passes.place("cuda:0")
    np.testing.assert_allclose(passes.run(prepared, [READING]), expected, rtol=1e-6)


def test_threads_may_share_a_gpu_and_large_batches_are_prepared_by_several(monkeypatch):
    encoder = torch_encoder.TorchEncoder(SPEC, flat())
    assert not encoder.parallel
    monkeypatch.setattr(torch_encoder, "find_device", lambda name, where: "cuda:0")
    monkeypatch.setattr(Passes, "place", lambda self, device, **known: None)
    encoder.run_on(Running())
    assert (encoder.parallel, encoder.batch_size) == (True, 256)
    assert encoder.at(SPEC).parallel
    monkeypatch.setattr(base, "cores", lambda: 2)
    workers, real = set(), encoder.prepare
    together = threading.Barrier(2, timeout=120)

    def noted(picture):
        if threading.get_ident() not in workers:
            workers.add(threading.get_ident())
            together.wait()  # until the second thread prepares a picture of this batch, too
        return real(picture)

    monkeypatch.setattr(encoder, "prepare", noted)
    pictures = [np.full((4, 4, 3), value, np.uint8) for value in range(8)]
    assert encoder.encode(pictures).shape == (8, 48)
    assert len(workers) > 1

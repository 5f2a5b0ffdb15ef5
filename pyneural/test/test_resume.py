"""Training that was interrupted goes on to the bit as if it had not been."""

import numpy as np
import pytest

from pyneural import (
    Adam,
    Batches,
    Dense,
    Halving,
    Momentum,
    Nesterov,
    Network,
    Sgd,
    Softmax,
    Threads,
    fit,
    scorer,
)
from pyneural.checkpoint import Checkpoints
from pyneural.safetensors import FormatError
from pyneural.test.test_training import scripted, sentences, stream, streaming, tagger, told

MAKE = {"Sgd": Sgd, "Momentum": Momentum, "Nesterov": Nesterov, "Adam": Adam}
KINDS = {
    "dropout": (tagger, sentences, {}),
    "streams": (streaming, stream, {}),
    "average": (tagger, sentences, {"averaging": 0.4}),
    "threads": (tagger, lambda: sentences(200, 100), {"parallel": Threads(2)}),
}


def run(kind, make, folder, duration, resume=False, **options):
    network_of, batches_of, more = KINDS[kind]
    network = network_of(seed=7) if resume and kind == "dropout" else network_of()
    options = {
        "evaluate": scorer(batches_of()),
        "evaluate_every": 0.4,
        "save_every": 0.25,
        "report_every": 0.6,
    } | options
    history = fit(
        network, batches_of(), MAKE[make](Halving(0.05, 1), clip_norm=1.0), duration,
        checkpoints=Checkpoints(folder, keep=99), resume=resume, **more | options,
    )  # fmt: skip
    return network.values.tobytes(), told(history)


@pytest.mark.parametrize("make", MAKE)
@pytest.mark.parametrize("kind", KINDS)
def test_resume_is_exact(kind, make, tmp_path):
    """From every checkpoint, in the middle of an epoch too: values, best values and history."""
    whole = run(kind, make, tmp_path / "whole", 2.5)
    names = Checkpoints(tmp_path / "whole").names()
    for name in names[:: max(1, len(names) // 4)]:
        assert run(kind, make, tmp_path / "whole", 2.5, resume=name) == whole
    run(kind, make, tmp_path / "parts", 0.8)
    run(kind, make, tmp_path / "parts", 1.7, resume=True)
    assert run(kind, make, tmp_path / "parts", 2.5, resume=True) == whole


def test_resume_after_stopping_early(tmp_path):
    """Goes on with patience anew only where there is more of it."""

    def stopped(folder, resume, patience=2, before=0):
        evaluate, _ = scripted([1, 5, 2, 3, 9, 9, 9, 9, 9, 9, 9][before:])
        options = {"evaluate": evaluate, "patience": patience, "evaluate_every": 1 / 7}
        return run("dropout", "Adam", folder, 1, resume, **options)

    whole = stopped(tmp_path / "a", False)
    assert whole[1]["stopped_early"]
    assert len(whole[1]["evaluations"]) == 4
    assert stopped(tmp_path / "a", True, before=4) == whole
    assert stopped(tmp_path / "a", "step-00000002", before=2) == whole
    more = stopped(tmp_path / "a", True, patience=3, before=4)
    assert more == stopped(tmp_path / "b", False, patience=3)
    assert len(more[1]["evaluations"]) == 7


def test_keep(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    fit(tagger(), sentences(), Sgd(0.1), 3, checkpoints=checkpoints)
    assert checkpoints.names() == ["step-00000014", "step-00000021"]
    assert len(list(tmp_path.iterdir())) == 2


def test_resume_needs_checkpoints(tmp_path):
    with pytest.raises(ValueError, match="resume: expected checkpoints to resume from"):
        fit(tagger(), sentences(), Sgd(0.1), 1, resume=True)
    fresh = fit(tagger(), sentences(), Sgd(0.1), 1, checkpoints=Checkpoints(tmp_path), resume=True)
    assert fresh.position.epoch == 1
    with pytest.raises(ValueError, match="no checkpoint 'step-1'"):
        fit(tagger(), sentences(), Sgd(0.1), 1, checkpoints=Checkpoints(tmp_path), resume="step-1")


def test_a_checkpoint_of_nothing_known(tmp_path):
    checkpoints, optimiser = Checkpoints(tmp_path), Sgd(0.1)
    checkpoints.save(tagger(), optimiser, 20, {"records": [{"mood": 1}], "evaluations": [], "position": {}}, None)
    with pytest.raises(FormatError, match="step-00000000"):
        fit(tagger(), sentences(), Sgd(0.1), 1, checkpoints=checkpoints, resume=True)


def test_a_folder_of_another_run_is_not_mixed_with_this_one(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    batches = Batches(np.eye(8), np.arange(8) % 2, 2)

    def network():
        return Network(Dense(8, 2), Softmax()).allocate(seed=1)

    fit(network(), batches, Sgd(0.1), epochs=1, checkpoints=checkpoints)
    with pytest.raises(ValueError, match="holds those of an earlier run"):
        fit(network(), batches, Sgd(0.1), epochs=1, checkpoints=checkpoints)
    with pytest.raises(ValueError, match="saved with 4 batches in an epoch, now it is 2"):
        fit(network(), Batches(np.eye(8), np.arange(8) % 2, 4), Sgd(0.1), checkpoints=checkpoints, resume=True)


def test_another_rate_is_told(tmp_path, caplog):
    checkpoints = Checkpoints(tmp_path)
    batches = Batches(np.eye(8), np.arange(8) % 2, 2)
    network = Network(Dense(8, 2), Softmax()).allocate(seed=1)
    fit(network, batches, Sgd(0.1), epochs=1, checkpoints=checkpoints)
    fit(network, batches, Sgd(0.2), epochs=2, checkpoints=checkpoints, resume=True)
    assert "going on with another setting: optimiser.rate is 'Constant(rate=0.1)'" in caplog.text

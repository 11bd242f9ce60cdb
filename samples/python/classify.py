#!/usr/bin/env python3
"""Classifies the held-out digits with the compiled network. usage: PYTHONPATH=<build>/python classify.py DIGITS.so"""
import pathlib
import sys

if len(sys.argv) != 2:
    sys.exit(__doc__)
try:
    import tfopt  # says so when numpy is missing
except ImportError as reason:
    sys.exit(f"{reason}" if "numpy" in str(reason) else f"{reason}: {__doc__}")
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
data = ROOT / "test/models/digits"
images, labels = np.load(data / "test_images.npy"), np.load(data / "test_labels.npy")
expected = np.load(data / "test_probabilities.npy")
model = tfopt.load(sys.argv[1])
print("inputs", model.inputs, "outputs", model.outputs)
probabilities = model(images)
print(f"{np.mean(probabilities.argmax(1) == labels):.1%} of {len(labels)} right, largest difference from TensorFlow {abs(probabilities - expected).max():.1e}")
sys.exit(not np.allclose(probabilities, expected, atol=1e-5))

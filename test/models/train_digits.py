#!/usr/bin/env python3
"""Trains the digits network that demo, samples and tests use, and writes it beside this file:

    digits/graph.pb        frozen GraphDef, batch unknown
    digits/saved_model/    the same as a SavedModel (serving_default: image -> probabilities)
    digits/images/*.png    held-out images, 8x8 grey, named <label>_<number>.png
    digits/test_images.npy, test_labels.npy, test_probabilities.npy   held-out data and TensorFlow's own answers
    digits/labels.txt

Data: scikit-learn's bundled digits (UCI Optical Recognition of Handwritten Digits, CC BY 4.0). Needs tensorflow-cpu 2.21 and
scikit-learn; seeds are fixed. Run: python train_digits.py
"""
import pathlib
import shutil

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

HERE = pathlib.Path(__file__).resolve().parent / "digits"


def network():
    layers = tf.keras.layers
    image = layers.Input((8, 8, 1), name="image")
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Conv2D(16, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    y = layers.BatchNormalization()(y)
    y = layers.Activation("swish")(y)
    y = layers.Conv2D(16, 1)(y)
    x = layers.Add()([x, y])
    x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(64, activation="relu")(x)
    x = layers.Dropout(0.3)(x)
    x = layers.Dense(10)(x)
    return tf.keras.Model(image, layers.Softmax(name="probabilities")(x))


def main():
    tf.keras.utils.set_random_seed(1)
    data = load_digits()
    images = np.round(data.images * (255 / 16)).astype(np.float32)[..., None]
    order = np.random.default_rng(1).permutation(len(images))
    train, test = order[300:], order[:300]
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images[train], data.target[train], epochs=30, batch_size=32, verbose=0)
    print("held-out accuracy", model.evaluate(images[test], data.target[test], verbose=0)[1])

    function = tf.function(lambda image: {"probabilities": model(image, training=False)})
    concrete = function.get_concrete_function(tf.TensorSpec((None, 8, 8, 1), tf.float32, name="image"))
    frozen = convert_variables_to_constants_v2(concrete)
    graph = frozen.graph.as_graph_def()
    HERE.mkdir(exist_ok=True)
    (HERE / "graph.pb").write_bytes(graph.SerializeToString(deterministic=True))
    shutil.rmtree(HERE / "saved_model", ignore_errors=True)
    module = tf.Module()
    module.model = model
    module.serve = function
    tf.saved_model.save(module, str(HERE / "saved_model"), signatures={"serving_default": concrete})
    shutil.rmtree(HERE / "saved_model" / "assets", ignore_errors=True)
    (HERE / "saved_model" / "fingerprint.pb").unlink(missing_ok=True)

    np.save(HERE / "test_images.npy", images[test][:64])
    np.save(HERE / "test_labels.npy", data.target[test][:64].astype(np.int32))
    np.save(HERE / "test_probabilities.npy", frozen(tf.constant(images[test][:64]))[0].numpy())
    (HERE / "labels.txt").write_text("\n".join("zero one two three four five six seven eight nine".split()) + "\n")
    (HERE / "images").mkdir(exist_ok=True)
    for number, index in enumerate(test[:10]):
        png = tf.io.encode_png(images[index].astype(np.uint8))
        (HERE / "images" / f"{data.target[index]}_{number}.png").write_bytes(png.numpy())
    print("nodes", len(graph.node), "outputs", [t.name for t in frozen.outputs], "inputs", [t.name for t in frozen.inputs])


if __name__ == "__main__":
    main()

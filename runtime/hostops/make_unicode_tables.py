#!/usr/bin/env python3
"""Writes runtime/hostops/unicode_tables.c: general categories and scripts of all characters and how letters fold, as
TensorFlow's regular expressions (RE2) and unicode_script (ICU) have them. usage: make_unicode_tables.py > unicode_tables.c
(TensorFlow 2.21; the build does not need it)."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

CATEGORIES = "Cc Cf Co Cs Ll Lm Lo Lt Lu Mc Me Mn Nd Nl No Pc Pd Pe Pf Pi Po Ps Sc Sk Sm So Zl Zp Zs".split()
SCRIPTS = """Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Bhaiksuki
Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee Chorasmian Common
Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret Devanagari Dives_Akuru Dogra Duployan Egyptian_Hieroglyphs Elbasan
Elymaic Ethiopic Georgian Glagolitic Gothic Grantha Greek Gujarati Gunjala_Gondi Gurmukhi Han Hangul Hanifi_Rohingya
Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi
Kannada Katakana Kawi Kayah_Li Kharoshthi Khitan_Small_Script Khmer Khojki Khudawadi Lao Latin Lepcha Limbu Linear_A Linear_B
Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi Medefaidrin Meetei_Mayek
Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean Nag_Mundari
Nandinagari New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki Old_Hungarian Old_Italic Old_North_Arabian
Old_Permic Old_Persian Old_Sogdian Old_South_Arabian Old_Turkic Old_Uyghur Oriya Osage Osmanya Pahawh_Hmong Palmyrene
Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham SignWriting
Sinhala Sogdian Sora_Sompeng Soyombo Sundanese Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil
Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Toto Ugaritic Vai Vithkuqi Wancho Warang_Citi Yezidi Yi
Zanabazar_Square""".split()

codes = np.array([c for c in range(0x110000) if not 0xD800 <= c < 0xE000])
texts = tf.constant([chr(c).encode() for c in codes])
category = np.full(0x110000, 31, np.uint8)
category[0xD800:0xE000] = CATEGORIES.index("Cs")
rest = np.arange(len(codes))
for i, name in enumerate(CATEGORIES):
    if name == "Cs":
        continue
    found = tf.strings.regex_full_match(tf.gather(texts, rest), r"(?s)\p{" + name + "}").numpy()
    category[codes[rest[found]]] = i
    rest = rest[~found]
script = tf.strings.unicode_script(tf.range(0x110000)).numpy()
names = []
for name in SCRIPTS:
    known = np.flatnonzero(script[codes] >= 0)
    try:
        # a script's characters: by RE2 on one of every ICU script
        firsts = [int(np.flatnonzero(script == s)[k]) for s in np.unique(script) if s >= 0 for k in (0, -1)]
        firsts = [c for c in firsts if not 0xD800 <= c < 0xE000]
        match = tf.strings.regex_full_match([chr(c).encode() for c in firsts], r"(?s)\p{" + name + "}").numpy()
    except tf.errors.InvalidArgumentError:
        continue
    numbers = {int(script[c]) for c, m in zip(firsts, match) if m}
    if numbers:
        counted = sorted(numbers, key=lambda s: -sum(int(m) for c, m in zip(firsts, match) if script[c] == s))
        names.append((name, counted[0]))


def runs(values):
    starts = [0] + list(np.flatnonzero(values[1:] != values[:-1]) + 1)
    return [(int(s), int(values[s])) for s in starts]


# Simple folding: letters that RE2 takes for the same, as orbits.
parent = {}


def folded(c):
    s = chr(c).casefold()
    if len(s) != 1:
        s = chr(c).lower()
    return ord(s) if len(s) == 1 else c


orbits = {}
for c in range(0x110000):
    if not 0xD800 <= c < 0xE000:
        f = folded(c)
        orbits.setdefault(f, set()).add(c)
        orbits[f].add(f)
following = {}
for members in orbits.values():
    members = sorted(members)
    if len(members) > 1:
        pairs = [(a, b) for a in members for b in members if a != b]
        fine = [tf.strings.regex_full_match(chr(b).encode(), "(?i)\\x{%x}" % a).numpy() for a, b in pairs[:1]]
        if not all(fine):
            continue
        for a, b in zip(members, members[1:] + members[:1]):
            following[a] = b
rows = []
items = sorted(following.items())
i = 0
while i < len(items):
    low, to = items[i]
    delta = to - low
    j = i
    if delta == 1 or delta == -1:  # pairs side by side: the first of each is even, or odd
        kind = low % 2 if delta == 1 else 1 - low % 2
        while j < len(items) and items[j][0] == low + (j - i) and items[j][1] - items[j][0] == (
            1 if items[j][0] % 2 == kind else -1
        ):
            j += 1
        rows.append((low, items[j - 1][0], "FOLD_EVEN" if kind == 0 else "FOLD_ODD"))
    else:
        while j < len(items) and items[j][0] == low + (j - i) and items[j][1] - items[j][0] == delta:
            j += 1
        rows.append((low, items[j - 1][0], str(delta)))
    i = j


def table(kind, name, entries, per_line):
    print(f"const {kind} {name}[] = {{")
    for k in range(0, len(entries), per_line):
        print("    " + ", ".join(entries[k : k + per_line]) + ",")
    print("};")


def cased(function):
    """Letters that change to one letter as rows (low, high, delta, step), others as (letter, letters)."""
    inside = function([b"a" + chr(c).encode() + b"b" for c in codes[1:]], "utf-8").numpy()
    edges = [x.decode() for x in function(["a", "b"], "utf-8").numpy()]
    changes, special, rows = [], [], []
    for c, text in zip(codes[1:], inside):
        text = text.decode()
        assert text[0] == edges[0] and text[-1] == edges[1]
        text = text[1:-1]
        if len(text) == 1 and ord(text) != c:
            changes.append((int(c), ord(text) - int(c)))
        elif len(text) != 1:
            special.append((int(c), [ord(x) for x in text]))
    i = 0
    while i < len(changes):
        low, delta = changes[i]
        j, step = i + 1, 1
        if j < len(changes) and changes[j][1] == delta and changes[j][0] - low in (1, 2):
            step = changes[j][0] - low
            while j < len(changes) and changes[j] == (changes[j - 1][0] + step, delta):
                j += 1
        rows.append((low, changes[j - 1][0], delta, step))
        i = j
    return rows, special


lower, lower_special = cased(tf.strings.lower)
upper, upper_special = cased(tf.strings.upper)
print("/* Generated by make_unicode_tables.py. */")
print('#include "hostops/unicode_tables.h"')
print("/* clang-format off */")
c = runs(category)
s = runs(script)
table("uint32_t", "tfopt_unicode_categories", [f"0x{a << 8 | v:x}" for a, v in c], 12)
print(f"const uint32_t tfopt_unicode_n_categories = {len(c)};")
table("uint32_t", "tfopt_unicode_scripts", [f"0x{a << 8 | (v & 255):x}" for a, v in s], 12)
print(f"const uint32_t tfopt_unicode_n_scripts = {len(s)};")
table("TfoptFold", "tfopt_unicode_folds", [f"{{0x{a:x}, 0x{b:x}, {d}}}" for a, b, d in rows], 6)
print(f"const uint32_t tfopt_unicode_n_folds = {len(rows)};")
table("char", "tfopt_unicode_category_names", [f"'{x[0]}', '{x[1]}'" for x in CATEGORIES], 10)
table("TfoptScript", "tfopt_unicode_script_names", [f'{{"{n}", {v}}}' for n, v in names], 5)
print(f"const uint32_t tfopt_unicode_n_script_names = {len(names)};")
for side, changes, special in (("lower", lower, lower_special), ("upper", upper, upper_special)):
    table("TfoptCase", f"tfopt_unicode_{side}", [f"{{0x{a:x}, 0x{b:x}, {d}, {t}}}" for a, b, d, t in changes], 5)
    print(f"const uint32_t tfopt_unicode_n_{side} = {len(changes)};")
    entries = [f"{{0x{c:x}, {{" + ", ".join(f"0x{x:x}" for x in to) + "}}" for c, to in special]
    table("TfoptLetters", f"tfopt_unicode_{side}_special", entries or ["{0, {0}}"], 4)
    print(f"const uint32_t tfopt_unicode_n_{side}_special = {len(special)};")

/* Regular expressions in RE2's syntax: parsed into a program of splits, classes and assertions, and run by a
   backtracker that visits each (instruction, position) at most once, which keeps RE2's leftmost-first answers and its
   bound on time. Texts are UTF-8. */
#include "hostops/text.h"
#include <string.h>

typedef enum { INST_CLASS, INST_SPLIT, INST_JUMP, INST_SAVE, INST_ASSERT, INST_MATCH } InstKind;
enum {
    ASSERT_LINE_START = '^',
    ASSERT_LINE_END = '$',
    ASSERT_TEXT_START = 'A',
    ASSERT_TEXT_END = 'z',
    ASSERT_WORD = 'b',
    ASSERT_NOT_WORD = 'B'
};
enum { MAX_PROGRAM = 20000, MAX_DEPTH = 200, MAX_REPEAT = 1000 };

typedef struct {
    uint8_t kind;
    bool negated;
    int32_t a, b; /* CLASS: first range, count; SPLIT: preferred, other; JUMP, SAVE, ASSERT: a */
} Inst;

typedef struct {
    uint32_t low, high;
} Range;

struct TfoptRegex {
    TfoptHostCall *call;
    Inst *program;
    Range *ranges;
    int32_t n, n_ranges, groups;
    uint8_t *visited; /* bits, for the longest text so far */
    uint64_t visited_size;
    /* the parser's */
    const char *p, *end;
    bool fold_case, dot_all, multi_line, ungreedy;
    bool failed;
    int depth;
};

static void fail(TfoptRegex *r, const char *why) {
    if (!r->failed) tfopt_call_fail(r->call, TFOPT_INVALID_ARGUMENT, "Invalid pattern: %s", why);
    r->failed = true;
}

static int32_t emit(TfoptRegex *r, InstKind kind, int32_t a, int32_t b) {
    if (r->n >= MAX_PROGRAM) {
        fail(r, "pattern too large");
        return 0;
    }
    r->program[r->n] = (Inst){.kind = (uint8_t)kind, .a = a, .b = b};
    return r->n++;
}

static void add_range(TfoptRegex *r, uint32_t low, uint32_t high) {
    if (r->n_ranges + 3 >= MAX_PROGRAM) {
        fail(r, "pattern too large");
        return;
    }
    r->ranges[r->n_ranges++] = (Range){low, high};
    if (!r->fold_case) return;
    const uint32_t ul = low > 'A' ? low : 'A', uh = high < 'Z' ? high : 'Z', ll = low > 'a' ? low : 'a',
                   lh = high < 'z' ? high : 'z';
    if (ul <= uh) r->ranges[r->n_ranges++] = (Range){ul + 32, uh + 32};
    if (ll <= lh) r->ranges[r->n_ranges++] = (Range){ll - 32, lh - 32};
}

static uint32_t next_code(TfoptRegex *r) {
    uint64_t at = 0;
    const uint32_t code = tfopt_utf8_next((TfoptString){r->p, (uint64_t)(r->end - r->p)}, &at, NULL);
    r->p += at;
    return code;
}

typedef struct {
    const char *name;
    Range ranges[5];
} NamedClass;
static const NamedClass posix_classes[] = {{"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
                                           {"alpha", {{'A', 'Z'}, {'a', 'z'}}},
                                           {"ascii", {{0, 127}}},
                                           {"blank", {{'\t', '\t'}, {' ', ' '}}},
                                           {"cntrl", {{0, 31}, {127, 127}}},
                                           {"digit", {{'0', '9'}}},
                                           {"graph", {{'!', '~'}}},
                                           {"lower", {{'a', 'z'}}},
                                           {"print", {{' ', '~'}}},
                                           {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
                                           {"space", {{'\t', '\r'}, {' ', ' '}}},
                                           {"upper", {{'A', 'Z'}}},
                                           {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
                                           {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}}};

/* Ranges of a class, or of its complement. */
static void add_named(TfoptRegex *r, const Range *ranges, bool negated) {
    uint32_t next = 0;
    for (int i = 0; i < 5 && (ranges[i].high || i == 0); i++) {
        if (!negated)
            add_range(r, ranges[i].low, ranges[i].high);
        else if (ranges[i].low > next)
            add_range(r, next, ranges[i].low - 1);
        next = ranges[i].high + 1;
    }
    if (negated) add_range(r, next, 0x10ffff);
}

/* \d \D \s \S \w \W: true when it was one. */
static bool add_perl(TfoptRegex *r, char c) {
    static const Range digit[5] = {{'0', '9'}}, space[5] = {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}},
                       word[5] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    const bool negated = c >= 'A' && c <= 'Z';
    switch (c | 32) {
    case 'd':
        add_named(r, digit, negated);
        return true;
    case 's':
        add_named(r, space, negated);
        return true;
    case 'w':
        add_named(r, word, negated);
        return true;
    default:
        return false;
    }
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* The character after a backslash. */
static uint32_t escape(TfoptRegex *r) {
    if (r->p >= r->end) {
        fail(r, "trailing \\");
        return 0;
    }
    const char c = *r->p;
    static const char from[] = "nrtfva", to[] = "\n\r\t\f\v\a";
    const char *known = strchr(from, c);
    if (c && known) {
        r->p++;
        return (uint32_t)to[known - from];
    }
    if (c == 'x') {
        uint32_t v = 0;
        r->p++;
        if (r->p < r->end && *r->p == '{') {
            for (r->p++; r->p < r->end && hex_digit(*r->p) >= 0 && v < 0x110000; r->p++)
                v = v * 16 + (uint32_t)hex_digit(*r->p);
            if (r->p >= r->end || *r->p++ != '}') fail(r, "invalid escape sequence");
            return v;
        }
        for (int i = 0; i < 2; i++) {
            if (r->p >= r->end || hex_digit(*r->p) < 0) {
                fail(r, "invalid escape sequence");
                return 0;
            }
            v = v * 16 + (uint32_t)hex_digit(*r->p++);
        }
        return v;
    }
    if (c >= '0' && c <= '7') {
        uint32_t v = 0;
        if (c != '0' && !(r->p + 1 < r->end && r->p[1] >= '0' && r->p[1] <= '7')) fail(r, "invalid escape sequence");
        for (int i = 0; i < 3 && r->p < r->end && *r->p >= '0' && *r->p <= '7'; i++)
            v = v * 8 + (uint32_t)(*r->p++ - '0');
        return v;
    }
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '8' || c == '9') fail(r, "invalid escape sequence");
    return next_code(r);
}

static void parse_class(TfoptRegex *r) {
    const int32_t at = emit(r, INST_CLASS, r->n_ranges, 0);
    bool negated = false, first = true;
    if (r->p < r->end && *r->p == '^') {
        negated = true;
        r->p++;
    }
    for (;; first = false) {
        if (r->p >= r->end) {
            fail(r, "missing ]");
            return;
        }
        if (*r->p == ']' && !first) break;
        if (*r->p == '[' && r->p + 1 < r->end && r->p[1] == ':') {
            const char *name = r->p + 2;
            const bool inverse = name < r->end && *name == '^';
            name += inverse;
            bool found = false;
            for (size_t i = 0; i < sizeof posix_classes / sizeof *posix_classes && !found; i++) {
                const size_t n = strlen(posix_classes[i].name);
                found = (size_t)(r->end - name) >= n + 2 && memcmp(name, posix_classes[i].name, n) == 0 &&
                        name[n] == ':' && name[n + 1] == ']';
                if (!found) continue;
                add_named(r, posix_classes[i].ranges, inverse);
                r->p = name + n + 2;
            }
            if (!found) fail(r, "invalid character class range");
            if (r->failed) return;
            continue;
        }
        uint32_t low;
        if (*r->p == '\\') {
            r->p++;
            if (r->p < r->end && add_perl(r, *r->p)) {
                r->p++;
                continue;
            }
            low = escape(r);
        } else {
            low = next_code(r);
        }
        uint32_t high = low;
        if (r->p + 1 < r->end && *r->p == '-' && r->p[1] != ']') {
            r->p++;
            if (*r->p == '\\') {
                r->p++;
                high = escape(r);
            } else {
                high = next_code(r);
            }
        }
        if (high < low) fail(r, "invalid character class range");
        if (r->failed) return;
        add_range(r, low, high);
    }
    r->p++;
    r->program[at].negated = negated;
    r->program[at].b = r->n_ranges - r->program[at].a;
}

static void parse_alternatives(TfoptRegex *r);

static void emit_char(TfoptRegex *r, uint32_t code) {
    const int32_t at = emit(r, INST_CLASS, r->n_ranges, 0);
    add_range(r, code, code);
    r->program[at].b = r->n_ranges - r->program[at].a;
}

/* (?flags) or (?flags: or (?P<name>; the group itself is parsed by the caller. Returns false for flags alone. */
static bool parse_group_head(TfoptRegex *r, int32_t *group) {
    *group = -1;
    if (r->p >= r->end || *r->p != '?') {
        *group = ++r->groups;
        return true;
    }
    r->p++;
    if (r->p < r->end && (*r->p == 'P' || *r->p == '<')) {
        while (r->p < r->end && *r->p != '>') r->p++;
        if (r->p >= r->end)
            fail(r, "invalid named capture group");
        else
            r->p++;
        *group = ++r->groups;
        return true;
    }
    for (bool on = true; r->p < r->end; r->p++) {
        switch (*r->p) {
        case 'i':
            r->fold_case = on;
            break;
        case 's':
            r->dot_all = on;
            break;
        case 'm':
            r->multi_line = on;
            break;
        case 'U':
            r->ungreedy = on;
            break;
        case '-':
            on = false;
            break;
        case ':':
            r->p++;
            return true;
        case ')':
            r->p++;
            return false;
        default:
            fail(r, "invalid perl operator");
            return true;
        }
    }
    fail(r, "missing )");
    return true;
}

/* One atom; false when there is none (flags only). */
static bool parse_atom(TfoptRegex *r) {
    const char c = *r->p;
    if (c == '(') {
        const bool fold_case = r->fold_case, dot_all = r->dot_all, multi_line = r->multi_line, ungreedy = r->ungreedy;
        int32_t group;
        r->p++;
        if (!parse_group_head(r, &group)) return false;
        if (r->failed || ++r->depth > MAX_DEPTH) {
            fail(r, "nested too deep");
            return true;
        }
        if (group >= 0) emit(r, INST_SAVE, 2 * group, 0);
        parse_alternatives(r);
        r->depth--;
        if (r->p >= r->end || *r->p != ')')
            fail(r, "missing )");
        else
            r->p++;
        if (group >= 0) emit(r, INST_SAVE, 2 * group + 1, 0);
        r->fold_case = fold_case;
        r->dot_all = dot_all;
        r->multi_line = multi_line;
        r->ungreedy = ungreedy;
        return true;
    }
    if (c == '[') {
        r->p++;
        parse_class(r);
        return true;
    }
    if (c == '.') {
        r->p++;
        const int32_t at = emit(r, INST_CLASS, r->n_ranges, 0);
        if (!r->dot_all) r->ranges[r->n_ranges++] = (Range){'\n', '\n'};
        r->program[at].b = r->n_ranges - r->program[at].a;
        r->program[at].negated = true;
        return true;
    }
    if (c == '^' || c == '$') {
        r->p++;
        emit(r, INST_ASSERT, r->multi_line ? c : c == '^' ? ASSERT_TEXT_START : ASSERT_TEXT_END, 0);
        return true;
    }
    if (c == '*' || c == '+' || c == '?') {
        fail(r, "no argument for repetition operator");
        return true;
    }
    if (c != '\\') {
        emit_char(r, next_code(r));
        return true;
    }
    r->p++;
    if (r->p < r->end && strchr("AzbB", *r->p) && *r->p) {
        emit(r, INST_ASSERT, *r->p++, 0);
        return true;
    }
    if (r->p < r->end && *r->p == 'Q') {
        for (r->p++; r->p < r->end && !(r->p[0] == '\\' && r->p + 1 < r->end && r->p[1] == 'E');)
            emit_char(r, next_code(r));
        if (r->p < r->end) r->p += 2;
        return true;
    }
    const int32_t ranges = r->n_ranges;
    if (r->p < r->end && add_perl(r, *r->p)) {
        r->p++;
        emit(r, INST_CLASS, ranges, r->n_ranges - ranges);
        return true;
    }
    emit_char(r, escape(r));
    return true;
}

/* Another copy of instructions [first, last) at the end; jumps inside move along. */
static void copy_code(TfoptRegex *r, int32_t first, int32_t last) {
    const int32_t shift = r->n - first;
    for (int32_t i = first; i < last && !r->failed; i++) {
        const Inst old = r->program[i];
        const int32_t at = emit(r, (InstKind)old.kind, old.a, old.b);
        r->program[at].negated = old.negated;
        if (old.kind == INST_SPLIT || old.kind == INST_JUMP) {
            r->program[at].a += shift;
            if (old.kind == INST_SPLIT) r->program[at].b += shift;
        }
    }
}

/* Makes room for n instructions at `at`: jumps behind it move on. */
static void open_gap(TfoptRegex *r, int32_t at, int32_t n) {
    if (r->n + n >= MAX_PROGRAM) {
        fail(r, "pattern too large");
        return;
    }
    memmove(r->program + at + n, r->program + at, (size_t)(r->n - at) * sizeof *r->program);
    r->n += n;
    for (int32_t i = at + n; i < r->n; i++) {
        Inst *inst = &r->program[i];
        if (inst->kind != INST_SPLIT && inst->kind != INST_JUMP) continue;
        inst->a += n;
        if (inst->kind == INST_SPLIT) inst->b += n;
    }
}

static void set_split(TfoptRegex *r, int32_t at, int32_t into, int32_t past, bool greedy) {
    if (at < MAX_PROGRAM)
        r->program[at] = (Inst){.kind = INST_SPLIT, .a = greedy ? into : past, .b = greedy ? past : into};
}

/* x{least,most}, most -1: no limit; the code of x is [first, n). */
static void repeat(TfoptRegex *r, int32_t first, int least, int most, bool greedy) {
    const int32_t length = r->n - first;
    if (least == 0 && most == 0) {
        r->n = first;
        emit(r, INST_JUMP, r->n + 1, 0);
        return;
    }
    if (least == 0) {
        open_gap(r, first, 1);
        if (r->failed) return;
        if (most == -1)
            emit(r, INST_JUMP, first, 0);
        else if (most > 1) { /* x{0,m} = (x(x(…)?)?)? */
            int32_t splits[MAX_REPEAT], n = 0;
            for (int i = 1; i < most && !r->failed; i++) {
                splits[n++] = emit(r, INST_SPLIT, 0, 0);
                copy_code(r, first + 1, first + 1 + length);
            }
            for (int32_t i = 0; i < n; i++) set_split(r, splits[i], splits[i] + 1, r->n, greedy);
        }
        set_split(r, first, first + 1, r->n, greedy);
        return;
    }
    for (int i = 1; i < least && !r->failed; i++) copy_code(r, first, first + length);
    const int32_t last = r->n - length;
    if (most == -1) {
        const int32_t split = emit(r, INST_SPLIT, 0, 0);
        set_split(r, split, last, split + 1, greedy);
        return;
    }
    int32_t splits[MAX_REPEAT], n = 0;
    for (int i = least; i < most && !r->failed; i++) {
        splits[n++] = emit(r, INST_SPLIT, 0, 0);
        copy_code(r, first, first + length);
    }
    for (int32_t i = 0; i < n; i++) set_split(r, splits[i], splits[i] + 1, r->n, greedy);
}

/* {n}, {n,} or {n,m} at p: true and p past it. */
static bool parse_counts(TfoptRegex *r, int *least, int *most) {
    const char *p = r->p + 1;
    int v[2] = {0, -1}, digits = 0;
    for (; p < r->end && *p >= '0' && *p <= '9' && v[0] <= MAX_REPEAT; p++, digits++) v[0] = v[0] * 10 + (*p - '0');
    if (!digits || p >= r->end) return false;
    if (*p == ',') {
        p++;
        if (p < r->end && *p >= '0' && *p <= '9') v[1] = 0;
        for (; p < r->end && *p >= '0' && *p <= '9' && v[1] <= MAX_REPEAT; p++) v[1] = v[1] * 10 + (*p - '0');
    } else {
        v[1] = v[0];
    }
    if (p >= r->end || *p != '}') return false;
    r->p = p + 1;
    *least = v[0];
    *most = v[1];
    if (v[0] > MAX_REPEAT || v[1] > MAX_REPEAT || (v[1] >= 0 && v[1] < v[0])) fail(r, "invalid repetition size");
    return true;
}

static void parse_sequence(TfoptRegex *r) {
    while (!r->failed && r->p < r->end && *r->p != '|' && *r->p != ')') {
        const int32_t first = r->n;
        if (!parse_atom(r)) continue;
        while (!r->failed && r->p < r->end) {
            int least, most;
            if (*r->p == '*')
                least = 0, most = -1, r->p++;
            else if (*r->p == '+')
                least = 1, most = -1, r->p++;
            else if (*r->p == '?')
                least = 0, most = 1, r->p++;
            else if (*r->p != '{' || !parse_counts(r, &least, &most))
                break;
            bool greedy = !r->ungreedy;
            if (r->p < r->end && *r->p == '?') {
                greedy = !greedy;
                r->p++;
            }
            if (!r->failed) repeat(r, first, least, most, greedy);
        }
    }
}

static void parse_alternatives(TfoptRegex *r) {
    const int32_t first = r->n;
    parse_sequence(r);
    while (!r->failed && r->p < r->end && *r->p == '|') {
        r->p++;
        /* L1: what there is so far; jump over L2 */
        open_gap(r, first, 1);
        const int32_t jump = emit(r, INST_JUMP, 0, 0);
        set_split(r, first, first + 1, r->n, true);
        parse_sequence(r);
        /* More alternatives nest to the left: (a|b)|c prefers a, b, c in this order. */
        r->program[jump].a = r->n;
    }
}

TfoptRegex *tfopt_regex_new(TfoptHostCall *call, TfoptString pattern) {
    TfoptRegex *r = tfopt_call_zeroed(call, 1, sizeof *r);
    if (!r) {
        tfopt_no_memory(call);
        return NULL;
    }
    r->call = call;
    r->program = tfopt_call_alloc(call, MAX_PROGRAM, sizeof *r->program);
    r->ranges = tfopt_call_alloc(call, MAX_PROGRAM, sizeof *r->ranges);
    r->p = pattern.data;
    r->end = pattern.data + pattern.size;
    if (!r->program || !r->ranges) {
        tfopt_no_memory(call);
        return NULL;
    }
    emit(r, INST_SAVE, 0, 0);
    parse_alternatives(r);
    if (!r->failed && r->p < r->end) fail(r, "unexpected )");
    emit(r, INST_SAVE, 1, 0);
    emit(r, INST_MATCH, 0, 0);
    return r->failed ? NULL : r;
}

int tfopt_regex_groups(const TfoptRegex *r) {
    return r->groups;
}

static bool is_word(TfoptString s, uint64_t at) {
    const uint8_t c = at < s.size ? (uint8_t)s.data[at] : ' ';
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_';
}

static bool holds(int32_t assertion, TfoptString s, uint64_t at) {
    const bool word = (at > 0 && is_word(s, at - 1)) != is_word(s, at);
    switch (assertion) {
    case ASSERT_LINE_START:
        return at == 0 || s.data[at - 1] == '\n';
    case ASSERT_LINE_END:
        return at == s.size || s.data[at] == '\n';
    case ASSERT_TEXT_START:
        return at == 0;
    case ASSERT_TEXT_END:
        return at == s.size;
    case ASSERT_WORD:
        return word;
    default:
        return !word;
    }
}

static bool in_class(const TfoptRegex *r, const Inst *inst, uint32_t code) {
    bool found = false;
    for (int32_t i = 0; i < inst->b && !found; i++)
        found = code >= r->ranges[inst->a + i].low && code <= r->ranges[inst->a + i].high;
    return found != inst->negated;
}

/* What remains to be tried: an instruction at a position, or (restore >= 0) a span to put back. */
typedef struct {
    int32_t pc, restore;
    int64_t at;
} Job;

int tfopt_regex_match(TfoptRegex *r, TfoptString s, uint64_t from, bool anchored, bool full,
                      int64_t spans[2 * TFOPT_REGEX_GROUPS]) {
    const uint64_t states = (uint64_t)r->n * (s.size + 1), bytes = states / 8 + 1;
    if (bytes > r->visited_size) {
        r->visited = tfopt_call_alloc(r->call, (int64_t)bytes * 2, 1);
        r->visited_size = bytes * 2;
        if (!r->visited) return -1;
    }
    memset(r->visited, 0, bytes);
    Job small[256], *jobs = small;
    int64_t capacity = 256;
    for (uint64_t start = from; start <= s.size; start++) {
        if (anchored && start != from) break;
        for (int i = 0; i < 2 * TFOPT_REGEX_GROUPS; i++) spans[i] = -1;
        int64_t n = 0;
        jobs[n++] = (Job){0, -1, (int64_t)start};
        while (n > 0) {
            Job job = jobs[--n];
            if (job.restore >= 0) {
                spans[job.restore] = job.at;
                continue;
            }
            for (;;) {
                const uint64_t state = (uint64_t)job.pc * (s.size + 1) + (uint64_t)job.at;
                if (r->visited[state / 8] >> (state % 8) & 1) break;
                r->visited[state / 8] |= (uint8_t)(1u << (state % 8));
                if (n + 2 > capacity) {
                    Job *more = tfopt_call_alloc(r->call, capacity * 2, sizeof *more);
                    if (!more) return -1;
                    memcpy(more, jobs, (size_t)n * sizeof *jobs);
                    jobs = more;
                    capacity *= 2;
                }
                const Inst *inst = &r->program[job.pc];
                if (inst->kind == INST_MATCH) {
                    if (full && job.at != (int64_t)s.size) break;
                    return 1;
                }
                if (inst->kind == INST_CLASS) {
                    uint64_t at = (uint64_t)job.at;
                    bool bad = false; /* malformed characters match nothing */
                    if (at >= s.size || !in_class(r, inst, tfopt_utf8_next(s, &at, &bad)) || bad) break;
                    job.at = (int64_t)at;
                    job.pc++;
                } else if (inst->kind == INST_SPLIT) {
                    jobs[n++] = (Job){inst->b, -1, job.at};
                    job.pc = inst->a;
                } else if (inst->kind == INST_JUMP) {
                    job.pc = inst->a;
                } else if (inst->kind == INST_ASSERT) {
                    if (!holds(inst->a, s, (uint64_t)job.at)) break;
                    job.pc++;
                } else {
                    if (inst->a < 2 * TFOPT_REGEX_GROUPS) {
                        jobs[n++] = (Job){0, inst->a, spans[inst->a]};
                        spans[inst->a] = job.at;
                    }
                    job.pc++;
                }
            }
        }
    }
    return 0;
}

/* Runs the programs of regex_parse.c: a backtracker that visits each (instruction, position) at most once, which keeps
   RE2's leftmost-first answers and its bound on time. Texts are UTF-8. */
#include "hostops/regex.h"

#include <string.h>

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
    const Range *ranges = r->ranges + inst->a;
    int32_t low = 0, high = inst->b;
    while (low < high) { /* the first range that ends at or behind the character */
        const int32_t middle = (low + high) / 2;
        if (ranges[middle].high < code)
            low = middle + 1;
        else
            high = middle;
    }
    return (low < inst->b && code >= ranges[low].low) != inst->negated;
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
                } else if (inst->kind == INST_BYTE) {
                    if (job.at >= (int64_t)s.size) break;
                    job.at++;
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

/* Between regex_parse.c (pattern to program), regex_class.c (sets of characters) and regex.c (matching). */
#ifndef TFOPT_HOSTOPS_REGEX_H
#define TFOPT_HOSTOPS_REGEX_H
#include "hostops/text.h"

typedef enum { INST_CLASS, INST_BYTE, INST_SPLIT, INST_JUMP, INST_SAVE, INST_ASSERT, INST_MATCH } InstKind;
enum {
    ASSERT_LINE_START = '^',
    ASSERT_LINE_END = '$',
    ASSERT_TEXT_START = 'A',
    ASSERT_TEXT_END = 'z',
    ASSERT_WORD = 'b',
    ASSERT_NOT_WORD = 'B'
};
enum { MAX_PROGRAM = 20000, MAX_RANGES = 40000, MAX_DEPTH = 200, MAX_REPEAT = 1000 };

typedef struct {
    uint8_t kind;
    bool negated;
    int32_t a, b; /* CLASS: first range, count, in order; SPLIT: preferred, other; JUMP, SAVE, ASSERT: a */
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

/* ---- regex_parse.c */
void tfopt_regex_fail(TfoptRegex *r, const char *why);

/* ---- regex_class.c: a class is ranges[first .. n_ranges) while it is being made */
void tfopt_class_range(TfoptRegex *r, uint32_t low, uint32_t high); /* with other cases where the flags say so */
bool tfopt_class_perl(TfoptRegex *r, char letter);                  /* \d \D \s \S \w \W: true when it was one */
bool tfopt_class_posix(TfoptRegex *r);    /* [:name:] at p, which moves behind it; false and a failure when unknown */
bool tfopt_class_property(TfoptRegex *r); /* what follows \p or \P, which p is at; false and a failure when unknown */
void tfopt_class_end(TfoptRegex *r, int32_t first); /* sorts and joins the ranges */
#endif

/* messages: what tests share that read something and look at the messages: an arena and a Diag for each test. */
#ifndef TEST_UNIT_MESSAGES_H
#define TEST_UNIT_MESSAGES_H
#include "base/diag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static Arena *arena;
static Diag d;

static inline int setup(void **state) {
    (void)state;
    arena = arena_new();
    diag_init(&d, arena, NULL);
    return 0;
}

static inline int teardown(void **state) {
    (void)state;
    arena_free(arena);
    return 0;
}

/* Whether a message has this part, about this node (NULL: any). */
static inline bool has_message_at(const char *node, const char *part) {
    for (uint32_t i = 0; i < d.entries.len; i++) {
        const DiagEntry *e = &d.entries.data[i];
        if (strstr(e->message, part) && (!node || (e->node && strcmp(e->node, node) == 0))) return true;
    }
    return false;
}

static inline bool has_message(const char *part) {
    return has_message_at(NULL, part);
}
#endif

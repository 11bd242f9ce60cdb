/* import_stack: the stacks of TF1 (Stack, StackPush, StackPop and their V2). A stack lives for one run and its pushes
   and pops are ordered by control edges, which the walk follows; so a stack is known at compile time: a list of
   values, and popping is giving back what was pushed. Only within one body: a stack that is pushed in a loop or in a
   branch has no known contents, and is refused. */
#include "frontend/importer.h"

static StackInfo *find_stack(const Import *c) {
    for (uint32_t i = 0; i < c->im->stacks.len; i++)
        if (c->im->stacks.data[i].handle == c->in[0].i) return &c->im->stacks.data[i];
    unsupported(c, "uses a stack made outside of its loop or branch; only what is pushed and popped side by side is "
                   "followed");
    return NULL;
}

/* StackV2 (max_size), Stack () -> handle */
bool import_stack(Import *c) {
    TfShape unknown = {.rank = -1};
    ValueId handle = list_new(c, dim_const(0), attr_t(c, "elem_type", DTYPE_F32), &unknown);
    if (failed(handle)) return false;
    list_find(c->im, handle)->handle = true;
    vec_push(c->im->arena, &c->im->stacks, (StackInfo){.handle = handle.i, .region = c->r.i});
    return give(c, handle);
}

/* (handle, value) -> value */
bool import_stack_push(Import *c) {
    StackInfo *stack = find_stack(c);
    if (!stack) return false;
    if (stack->region != c->r.i) return unsupported(c, "pushes in a loop or branch on a stack made outside of it");
    vec_push(c->im->arena, &stack->values, c->in[1]);
    return give(c, c->in[1]);
}

/* (handle) -> value */
bool import_stack_pop(Import *c) {
    StackInfo *stack = find_stack(c);
    if (!stack) return false;
    if (stack->region != c->r.i) return unsupported(c, "pops in a loop or branch from a stack made outside of it");
    if (stack->values.len == 0) return bad(c, "pops from an empty stack");
    return give(c, stack->values.data[--stack->values.len]);
}

/* savedmodel_variables: which checkpoint key belongs to which variable. The graph itself says so, in the nodes that
   restore a checkpoint: RestoreV2 → Identity → Assign of a variable; in TensorFlow 2 they lie in a function that gets
   the variables as arguments. Variables that no such node restores are looked up by name, and by the object graph that
   TensorFlow 2 stores in the checkpoint. */
#include "frontend/checkpoint.h"
#include "frontend/savedmodel.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_CHAIN = 1000, MAX_CALL_DEPTH = 8, NO_NODE = -1 };

typedef struct {
    TfGraph *tf;
    Checkpoint *checkpoint;
    Map object_names; /* full name of a variable in TensorFlow 2's object graph → its checkpoint key, as pointer */
    Diag *d;
} Restore;

static bool is_one_of(const char *op, const char *const *ops) {
    for (; *ops; ops++)
        if (strcmp(op, *ops) == 0) return true;
    return false;
}

static bool is_variable(const TfNode *n) {
    static const char *const ops[] = {"VarHandleOp", "VariableV2", "Variable", NULL};
    return is_one_of(n->op, ops);
}

/* Follows the first input through nodes that only pass a value on. */
static TfInput follow(const TfBody *body, TfInput in) {
    static const char *const ops[] = {"Identity", "IdentityN", "ReadVariableOp", "StopGradient", NULL};
    for (int i = 0; i < MAX_CHAIN && !(in.node & TF_ARG); i++) {
        const TfNode *n = &body->nodes[in.node];
        if (!is_one_of(n->op, ops) || in.output >= n->n_inputs) break;
        in = n->inputs[in.output];
    }
    return in;
}

/* Element `i` of a constant vector of strings. */
static const char *string_at(Arena *arena, const TfBody *body, TfInput in, uint32_t i) {
    in = follow(body, in);
    if (in.node & TF_ARG) return NULL;
    const TfAttr *value = tf_attr(&body->nodes[in.node], "value");
    if (!value || value->kind != TF_ATTR_TENSOR || value->v.tensor.dtype != DTYPE_STRING ||
        (int64_t)i >= tensor_count(&value->v.tensor))
        return NULL;
    const StringElement *s = (const StringElement *)value->v.tensor.data + i;
    return arena_strndup(arena, s->data, s->size);
}

static bool set_variable(Restore *r, const TfNode *variable, const char *key, const char *slice) {
    Tensor value, *kept;
    if (map_find(&r->tf->variables, variable->name)) return true;
    if (!checkpoint_has(r->checkpoint, key)) return true; /* left without a value: reported only if it is needed */
    if (!checkpoint_tensor(r->checkpoint, key, slice, &value, r->d)) return false;
    DType wanted = tf_attr_type(variable, "dtype", value.dtype);
    if (wanted != value.dtype)
        return diag_error(r->d, variable->name, variable->op, "the checkpoint holds %s under '%s', the graph wants %s",
                          dtype_info(value.dtype)->text, key, dtype_info(wanted)->text);
    kept = arena_memdup(r->tf->arena, &value, sizeof value);
    map_add(&r->tf->variables, variable->name, (uint64_t)(uintptr_t)kept);
    return true;
}

/* The main graph's node behind `in`: itself, or what the function's caller passes. NO_NODE when it is none. */
static int64_t main_node(const TfBody *body, TfInput in, const int64_t *args, uint32_t n_args) {
    in = follow(body, in);
    if (!(in.node & TF_ARG)) return args ? NO_NODE : (int64_t)in.node;
    uint32_t i = in.node & ~TF_ARG;
    return i < n_args ? args[i] : NO_NODE;
}

/* One assignment: when its value comes from RestoreV2 and its target is a variable, the variable has that checkpoint
 * key. */
static bool restore_assign(Restore *r, const TfBody *body, const TfNode *assign, const int64_t *args, uint32_t n_args) {
    if (assign->n_inputs < 2) return true;
    int64_t target = main_node(body, assign->inputs[0], args, n_args);
    TfInput from = follow(body, assign->inputs[1]);
    if (target == NO_NODE || !is_variable(&r->tf->main.nodes[target]) || (from.node & TF_ARG)) return true;
    const TfNode *restore = &body->nodes[from.node];
    if (strcmp(restore->op, "RestoreV2") != 0 || restore->n_inputs < 3) return true;
    const char *key = string_at(r->tf->arena, body, restore->inputs[1], from.output);
    const char *slice = string_at(r->tf->arena, body, restore->inputs[2], from.output);
    if (!key) return true;
    return set_variable(r, &r->tf->main.nodes[target], key, slice ? slice : "");
}

/* One table filled: when keys and values come from RestoreV2 and the table is made in the main graph, these are what it
   holds. */
static bool restore_table(Restore *r, const TfBody *body, const TfNode *fill, const int64_t *args, uint32_t n_args) {
    if (fill->n_inputs < 3) return true;
    int64_t target = main_node(body, fill->inputs[0], args, n_args);
    if (target == NO_NODE) return true;
    const TfNode *table = &r->tf->main.nodes[target];
    TfTable *t = NEW(r->tf->arena, TfTable);
    for (uint32_t i = 0; i < 2; i++) {
        TfInput from = follow(body, fill->inputs[1 + i]);
        if (from.node & TF_ARG) return true;
        const TfNode *restore = &body->nodes[from.node];
        if (strcmp(restore->op, "RestoreV2") != 0 || restore->n_inputs < 3) return true;
        const char *key = string_at(r->tf->arena, body, restore->inputs[1], from.output);
        if (!key || !checkpoint_has(r->checkpoint, key)) return true;
        Tensor *part = i ? &t->values : &t->keys;
        if (!checkpoint_tensor(r->checkpoint, key, "", part, r->d)) return false;
        DType want = tf_attr_type(table, i ? "value_dtype" : "key_dtype", part->dtype);
        if (want != part->dtype)
            return diag_error(r->d, table->name, table->op, "the checkpoint holds %s under '%s', the table wants %s",
                              dtype_info(part->dtype)->text, key, dtype_info(want)->text);
    }
    map_add(&r->tf->tables, table->name, (uint64_t)(uintptr_t)t);
    return true;
}

static bool restore_body(Restore *r, const TfBody *body, const int64_t *args, uint32_t n_args, int depth) {
    static const char *const assigns[] = {"Assign", "AssignVariableOp", NULL}, *const calls[] = {
                                                                                   "StatefulPartitionedCall",
                                                                                   "PartitionedCall", NULL};
    static const char *const imports[] = {"LookupTableImport", "LookupTableImportV2", NULL};
    bool ok = true;
    for (uint32_t i = 0; i < body->n_nodes; i++) {
        const TfNode *n = &body->nodes[i];
        if (is_one_of(n->op, assigns)) ok &= restore_assign(r, body, n, args, n_args);
        if (is_one_of(n->op, imports)) ok &= restore_table(r, body, n, args, n_args);
        if (!is_one_of(n->op, calls) || depth >= MAX_CALL_DEPTH) continue;
        uint64_t at = map_get(&r->tf->function_index, tf_attr_string(n, "f", ""), UINT64_MAX);
        if (at == UINT64_MAX) continue;
        const TfFunction *f = &r->tf->functions[at];
        bool restores = false;
        for (uint32_t k = 0; k < f->body.n_nodes; k++) restores |= strcmp(f->body.nodes[k].op, "RestoreV2") == 0;
        if (!restores) continue;
        int64_t *passed = NEW_ARRAY(r->tf->arena, int64_t, n->n_inputs);
        for (uint32_t k = 0; k < n->n_inputs; k++) passed[k] = main_node(body, n->inputs[k], args, n_args);
        ok &= restore_body(r, &f->body, passed, n->n_inputs, depth + 1);
    }
    return ok;
}

static bool read_object_graph(Restore *r) {
    static const char key[] = "_CHECKPOINTABLE_OBJECT_GRAPH";
    Tensor t;
    if (!checkpoint_has(r->checkpoint, key)) return true;
    if (!checkpoint_tensor(r->checkpoint, key, "", &t, r->d)) return false;
    if (t.dtype != DTYPE_STRING || tensor_count(&t) != 1)
        return diag_error(r->d, NULL, NULL, "the checkpoint's object graph is not a string");
    const StringElement *s = t.data;
    const Pb__TrackableObjectGraph *m =
        (const Pb__TrackableObjectGraph *)wire_read(r->tf->arena, &pb__trackable_object_graph__descriptor,
                                                    (const uint8_t *)s->data, s->size, "TrackableObjectGraph", r->d);
    for (size_t i = 0; m && i < m->n_nodes; i++)
        for (size_t k = 0; k < m->nodes[i]->n_attributes; k++) {
            const Pb__TrackableObjectGraph__TrackableObject__SerializedTensor *a = m->nodes[i]->attributes[k];
            if (*a->full_name) map_add(&r->object_names, a->full_name, (uint64_t)(uintptr_t)a->checkpoint_key);
        }
    return m != NULL;
}

/* Variables that nothing restores: by their shared name, their node's name, or the object graph. */
static bool restore_by_name(Restore *r) {
    const TfBody *body = &r->tf->main;
    bool ok = true;
    for (uint32_t i = 0; i < body->n_nodes; i++) {
        const TfNode *n = &body->nodes[i];
        if (!is_variable(n) || map_find(&r->tf->variables, n->name)) continue;
        const char *names[] = {tf_attr_string(n, "shared_name", ""), n->name};
        for (size_t k = 0; k < ARRAY_LEN(names); k++) {
            const char *in_objects = (const char *)(uintptr_t)map_get(&r->object_names, names[k], 0);
            const char *key = checkpoint_has(r->checkpoint, names[k]) ? names[k] : in_objects;
            if (!key || !*names[k] || !checkpoint_has(r->checkpoint, key)) continue;
            ok &= set_variable(r, n, key, "");
            break;
        }
    }
    return ok;
}

/* Variables that the model's initialisers set to a constant (asset paths above all), unless the checkpoint has them. */
static void restore_by_init(TfGraph *tf) {
    static const char *const assigns[] = {"Assign", "AssignVariableOp", NULL};
    const TfBody *body = &tf->main;
    bool *seen = NEW_ARRAY(tf->arena, bool, body->n_nodes);
    VEC(uint32_t) stack = {0};
    for (uint32_t i = 0; i < tf->n_init_nodes; i++) {
        uint32_t node = (uint32_t)map_get(&body->index, tf->init_nodes[i], 0);
        if (!seen[node]) vec_push(tf->arena, &stack, node);
        seen[node] = true;
    }
    while (stack.len) {
        const TfNode *n = &body->nodes[stack.data[--stack.len]];
        for (uint32_t k = 0; k < n->n_controls + n->n_inputs; k++) {
            uint32_t from = k < n->n_controls ? n->controls[k] : n->inputs[k - n->n_controls].node;
            if (!seen[from]) vec_push(tf->arena, &stack, from);
            seen[from] = true;
        }
        if (!is_one_of(n->op, assigns) || n->n_inputs < 2) continue;
        const TfNode *variable = &body->nodes[follow(body, n->inputs[0]).node];
        const TfAttr *value = tf_attr(&body->nodes[follow(body, n->inputs[1]).node], "value");
        if (!is_variable(variable) || !value || value->kind != TF_ATTR_TENSOR ||
            tf_attr_type(variable, "dtype", DTYPE_NONE) != value->v.tensor.dtype)
            continue;
        map_add(&tf->variables, variable->name, (uint64_t)(uintptr_t)&value->v.tensor);
    }
}

static bool read_checkpoint(TfGraph *tf, const char *directory, Diag *d) {
    const char *prefix = arena_printf(tf->arena, "%s/variables/variables", directory);
    if (!file_exists(arena_printf(tf->arena, "%s.index", prefix))) {
        restore_by_init(tf);
        return true;
    }
    Restore r = {.tf = tf, .d = d, .checkpoint = checkpoint_open(tf->arena, prefix, d)};
    if (!r.checkpoint) return false;
    map_init(&r.object_names, tf->arena);
    bool ok = restore_body(&r, &tf->main, NULL, 0, 0);
    ok = ok && read_object_graph(&r);
    restore_by_init(tf); /* first: an asset path's node may have the name that a variable had when it was saved */
    ok = ok && restore_by_name(&r);
    for (uint32_t i = 0; i < r.checkpoint->values.len; i++) /* the weights are part of what was compiled */
        tf->hash = hash_bytes(tf->hash, r.checkpoint->values.data[i].data, r.checkpoint->values.data[i].len);
    return ok;
}

bool read_variables(TfGraph *tf, const char *directory, Diag *d) {
    return read_checkpoint(tf, directory, d);
}

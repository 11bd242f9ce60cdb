/* functions: the function library of a GraphDef → TfFunctions. Bodies name their inputs "node:port:item" by output
   argument, or by the function's own arguments. All signatures are read first, since a body may call any function by
   using its name as an op. */
#include "frontend/reader.h"

#include <string.h>

bool function_output_index(const TfGraph *tf, const TfNode *n, const char *arg, uint32_t item, uint32_t *out) {
    uint64_t at = map_get(&tf->function_index, n->op, UINT64_MAX);
    if (at == UINT64_MAX) return false;
    const TfFunction *f = &tf->functions[at];
    for (uint32_t i = 0; i < f->n_results; i++)
        if (strcmp(f->result_names[i], arg) == 0) {
            *out = i + item;
            return true;
        }
    return false;
}

static bool has_variable_length(size_t n, Pb__OpDef__ArgDef *const *args) {
    for (size_t i = 0; i < n; i++)
        if (*args[i]->number_attr || *args[i]->type_list_attr) return true;
    return false;
}

static bool read_signature(GraphReader *r, const Pb__OpDef *m, TfFunction *out) {
    Arena *a = r->tf->arena;
    out->name = m->name;
    out->n_args = (uint32_t)m->n_input_arg;
    out->n_results = (uint32_t)m->n_output_arg;
    out->arg_names = NEW_ARRAY(a, const char *, out->n_args);
    out->arg_types = NEW_ARRAY(a, DType, out->n_args);
    out->result_names = NEW_ARRAY(a, const char *, out->n_results);
    out->results = NEW_ARRAY(a, TfInput, out->n_results);
    for (uint32_t i = 0; i < out->n_args; i++) {
        out->arg_names[i] = m->input_arg[i]->name;
        out->arg_types[i] = dtype_from_tf((int)m->input_arg[i]->type);
    }
    for (uint32_t i = 0; i < out->n_results; i++) out->result_names[i] = m->output_arg[i]->name;
    return true;
}

static const char *find_entry(size_t n, Pb__StringEntry *const *entries, const char *key) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(entries[i]->key, key) == 0) return entries[i]->value;
    return NULL;
}

/* control_ret: nodes that must run although no result needs them. */
static bool read_control_results(GraphReader *r, const Pb__FunctionDef *m, TfFunction *f) {
    bool ok = true;
    f->controls = NEW_ARRAY(r->tf->arena, uint32_t, m->n_control_ret);
    for (size_t i = 0; i < m->n_control_ret; i++) {
        uint64_t node = map_get(&f->body.index, m->control_ret[i]->value, UINT64_MAX);
        if (node == UINT64_MAX)
            ok = diag_error(r->d, f->name, NULL, "control output '%s' is not a node of the function",
                            m->control_ret[i]->value);
        else
            f->controls[f->n_controls++] = (uint32_t)node;
    }
    return ok;
}

static bool read_function_body(GraphReader *r, const Pb__FunctionDef *m, TfFunction *f) {
    Map args;
    map_init(&args, r->tf->arena);
    bool ok = true;
    for (uint32_t i = 0; i < f->n_args; i++)
        if (!map_add(&args, f->arg_names[i], TF_ARG | i))
            ok = diag_error(r->d, f->name, NULL, "two arguments are named '%s'", f->arg_names[i]);
    r->function = f->name;
    ok &= read_body(r, m->n_node_def, m->node_def, &args, &f->body);
    r->function = NULL;
    for (uint32_t i = 0; i < f->n_results; i++) {
        const char *text = find_entry(m->n_ret, m->ret, f->result_names[i]);
        if (!text)
            ok = diag_error(r->d, f->name, NULL, "nothing is returned for the result '%s'", f->result_names[i]);
        else
            ok &= read_input(r, &f->body, &args, text, f->name, &f->results[i]);
    }
    ok &= read_control_results(r, m, f);
    /* "argument:item" may run past the arguments: the item of a name was added to its number. */
    for (uint32_t i = 0; i < f->body.n_nodes; i++)
        for (uint32_t j = 0; j < f->body.nodes[i].n_inputs; j++) {
            uint32_t from = f->body.nodes[i].inputs[j].node;
            if ((from & TF_ARG) && (from & ~TF_ARG) >= f->n_args)
                ok = diag_error(r->d, f->name, NULL, "node '%s' takes an argument that does not exist",
                                f->body.nodes[i].name);
        }
    for (uint32_t i = 0; i < f->n_results; i++)
        if ((f->results[i].node & TF_ARG) && (f->results[i].node & ~TF_ARG) >= f->n_args)
            ok = diag_error(r->d, f->name, NULL, "result '%s' is an argument that does not exist", f->result_names[i]);
    return ok;
}

bool read_functions(GraphReader *r, const Pb__FunctionDefLibrary *m) {
    TfGraph *tf = r->tf;
    if (!m) return true;
    bool ok = true;
    const Pb__FunctionDef **kept = NEW_ARRAY(tf->arena, const Pb__FunctionDef *, m->n_function);
    tf->functions = NEW_ARRAY(tf->arena, TfFunction, m->n_function);
    for (size_t i = 0; i < m->n_function; i++) {
        const Pb__OpDef *signature = m->function[i]->signature;
        if (!signature || !*signature->name) {
            ok = diag_error(r->d, NULL, NULL, "function number %zu of the library has no name", i);
        } else if (has_variable_length(signature->n_input_arg, signature->input_arg) ||
                   has_variable_length(signature->n_output_arg, signature->output_arg)) {
            /* Only a caller's attributes say how many there are. A node that calls it will be refused as an unknown
             * function. */
            diag_note(r->d, signature->name, NULL, "function with a variable number of arguments, left out");
        } else if (!map_add(&tf->function_index, signature->name, tf->n_functions)) {
            ok = diag_error(r->d, signature->name, NULL, "two functions have this name");
        } else {
            kept[tf->n_functions] = m->function[i];
            ok &= read_signature(r, signature, &tf->functions[tf->n_functions++]);
        }
    }
    for (uint32_t i = 0; i < tf->n_functions; i++) ok &= read_function_body(r, kept[i], &tf->functions[i]);
    return ok;
}

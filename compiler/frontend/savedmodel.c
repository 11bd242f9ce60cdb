/* savedmodel: a SavedModel directory → TfGraph. Chooses the graph by tags and the signature by name, and finds what has
   to run before the first request (table initialisers) and which assets it reads. Variables are restored by
   savedmodel_variables.c. */
#include "frontend/savedmodel.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- which graph ---- */

static bool has_tag(const Pb__MetaGraphDef *m, const char *tag, size_t len) {
    for (size_t i = 0; m->meta_info_def && i < m->meta_info_def->n_tags; i++)
        if (strlen(m->meta_info_def->tags[i]) == len && memcmp(m->meta_info_def->tags[i], tag, len) == 0) return true;
    return false;
}

/* How many tags `tags` (comma list) has, and whether the graph has them all. */
static bool has_tags(const Pb__MetaGraphDef *m, const char *tags, size_t *out_n) {
    bool all = true;
    *out_n = 0;
    for (const char *p = tags; *p;) {
        size_t len = strcspn(p, ",");
        if (len) {
            all = all && has_tag(m, p, len);
            ++*out_n;
        }
        p += len + (p[len] == ',');
    }
    return all;
}

/* The graph with exactly these tags, else the first that has them among others. */
static const Pb__MetaGraphDef *choose_graph(Arena *arena, const Pb__SavedModel *m, const ReadOptions *options,
                                            Diag *d) {
    const char *tags = options->tags ? options->tags : "serve";
    const Pb__MetaGraphDef *more = NULL;
    Str list;
    str_init(&list, arena);
    for (size_t i = 0; i < m->n_meta_graphs; i++) {
        const Pb__MetaGraphDef *g = m->meta_graphs[i];
        size_t n, n_tags = g->meta_info_def ? g->meta_info_def->n_tags : 0;
        if (has_tags(g, tags, &n)) {
            if (n == n_tags) return g;
            if (!more) more = g;
        }
        str_add(&list, i ? "; " : "");
        for (size_t k = 0; k < n_tags; k++) str_printf(&list, "%s%s", k ? "," : "", g->meta_info_def->tags[k]);
    }
    if (more) return more;
    if (m->n_meta_graphs == 0)
        diag_error(d, NULL, NULL, "the SavedModel holds no graph");
    else
        diag_error(d, NULL, NULL, "no graph has the tags '%s'; there are: %s", tags, str_text(&list));
    return NULL;
}

/* ---- which signature ---- */

static bool is_internal(const char *name) {
    return strncmp(name, "__saved_model_", 14) == 0;
}

static const Pb__SignatureEntry *find_signature(const Pb__MetaGraphDef *m, const char *name) {
    for (size_t i = 0; i < m->n_signature_def; i++)
        if (strcmp(m->signature_def[i]->key, name) == 0 && m->signature_def[i]->value) return m->signature_def[i];
    return NULL;
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *list_signatures(Arena *arena, const Pb__MetaGraphDef *m) {
    const char **names = NEW_ARRAY(arena, const char *, m->n_signature_def);
    size_t n = 0;
    for (size_t i = 0; i < m->n_signature_def; i++)
        if (!is_internal(m->signature_def[i]->key)) names[n++] = m->signature_def[i]->key;
    qsort(names, n, sizeof *names, compare_texts);
    Str text;
    str_init(&text, arena);
    for (size_t i = 0; i < n; i++) str_printf(&text, "%s%s", i ? ", " : "", names[i]);
    return str_text(&text);
}

/* False after a message. *out is NULL when the model has no signature and none was asked for. */
static bool choose_signature(Arena *arena, const Pb__MetaGraphDef *m, const ReadOptions *options,
                             const Pb__SignatureEntry **out, Diag *d) {
    size_t n = 0;
    *out = NULL;
    if (options->signature) {
        *out = find_signature(m, options->signature);
        return *out || diag_error(d, NULL, NULL, "there is no signature '%s'; there are: %s", options->signature,
                                  list_signatures(arena, m));
    }
    *out = find_signature(m, "serving_default");
    if (*out) return true;
    for (size_t i = 0; i < m->n_signature_def; i++)
        if (!is_internal(m->signature_def[i]->key) && m->signature_def[i]->value) {
            *out = m->signature_def[i];
            n++;
        }
    return n <= 1 ||
           diag_error(d, NULL, NULL, "no signature is called serving_default; choose one with --signature: %s",
                      list_signatures(arena, m));
}

/* Ports of one entry: a sparse or composite tensor becomes one port for each of its parts. */
typedef VEC(TfPort) PortList;

static bool add_port(Arena *arena, const char *name, const Pb__TensorInfo *m, PortList *out, int depth, Diag *d) {
    if (!m) return diag_error(d, NULL, NULL, "the signature says nothing about '%s'", name);
    TfPort port = {.name = name, .dtype = dtype_from_tf((int)m->dtype), .shape = {.rank = -1}};
    if (m->encoding_case == PB__TENSOR_INFO__ENCODING_COO_SPARSE) {
        const Pb__TensorInfo__CooSparse *coo = m->coo_sparse;
        TfPort parts[3] = {
            {arena_printf(arena, "%s/indices", name),
             coo->indices_tensor_name,
             DTYPE_S64,
             {.rank = 2, .dims = {-1, -1}}},
            {arena_printf(arena, "%s/values", name), coo->values_tensor_name, port.dtype, {.rank = 1, .dims = {-1}}},
            {arena_printf(arena, "%s/dense_shape", name),
             coo->dense_shape_tensor_name,
             DTYPE_S64,
             {.rank = 1, .dims = {-1}}}};
        for (int i = 0; i < 3; i++) vec_push(arena, out, parts[i]);
        return true;
    }
    if (m->encoding_case == PB__TENSOR_INFO__ENCODING_COMPOSITE_TENSOR) {
        bool ok = depth < 8 || diag_error(d, NULL, NULL, "the signature's '%s' is nested too deep", name);
        for (size_t i = 0; ok && i < m->composite_tensor->n_components; i++)
            ok = add_port(arena, arena_printf(arena, "%s/%zu", name, i), m->composite_tensor->components[i], out,
                          depth + 1, d);
        return ok;
    }
    if (m->encoding_case != PB__TENSOR_INFO__ENCODING_NAME || !*m->name)
        return diag_error(d, NULL, NULL, "the signature's '%s' names no tensor", name);
    port.tensor = m->name;
    if (m->tensor_shape && !read_shape(m->tensor_shape, &port.shape))
        return diag_error(d, NULL, NULL, "the signature's '%s' has a bad shape", name);
    vec_push(arena, out, port);
    return true;
}

static int compare_entries(const void *a, const void *b) {
    return strcmp((*(Pb__TensorInfoEntry *const *)a)->key, (*(Pb__TensorInfoEntry *const *)b)->key);
}

/* In order of their names: a map's order in the file says nothing. */
static bool read_ports(Arena *arena, size_t n, Pb__TensorInfoEntry **entries, TfPort **out, uint32_t *out_n, Diag *d) {
    PortList ports = {0};
    bool ok = true;
    if (n) qsort(entries, n, sizeof *entries, compare_entries);
    for (size_t i = 0; i < n; i++) ok &= add_port(arena, entries[i]->key, entries[i]->value, &ports, 0, d);
    *out = ports.data;
    *out_n = ports.len;
    return ok;
}

/* Every port must name a tensor of the graph. */
static bool check_ports(const TfGraph *tf, uint32_t n, const TfPort *ports, Diag *d) {
    bool ok = true;
    for (uint32_t i = 0; i < n; i++) {
        size_t len = strcspn(ports[i].tensor, ":");
        if (!map_find_bytes(&tf->main.index, ports[i].tensor, len))
            ok = diag_error(d, NULL, NULL, "the signature's '%s' is tensor '%s', which is not in the graph",
                            ports[i].name, ports[i].tensor);
    }
    return ok;
}

/* ---- what runs first ---- */

static const Pb__CollectionDef *find_collection(const Pb__MetaGraphDef *m, const char *key) {
    for (size_t i = 0; i < m->n_collection_def; i++)
        if (strcmp(m->collection_def[i]->key, key) == 0) return m->collection_def[i]->value;
    return NULL;
}

typedef VEC(const char *) NameList;

static bool add_init(const TfGraph *tf, const char *tensor, NameList *out, Diag *d) {
    const char *name = arena_strndup(tf->arena, tensor, strcspn(tensor, ":"));
    for (uint32_t i = 0; i < out->len; i++)
        if (strcmp(out->data[i], name) == 0) return true;
    if (!map_find(&tf->main.index, name))
        return diag_error(d, NULL, NULL, "the initialiser '%s' is not in the graph", name);
    vec_push(tf->arena, out, name);
    return true;
}

/* TensorFlow 1 names its initialisers in collections, TensorFlow 2 in a signature of its own. */
static bool read_init(TfGraph *tf, const Pb__MetaGraphDef *m, Diag *d) {
    static const char *const collections[] = {"saved_model_main_op", "legacy_init_op", "table_initializer"};
    NameList names = {0};
    bool ok = true;
    for (size_t i = 0; i < ARRAY_LEN(collections); i++) {
        const Pb__CollectionDef *c = find_collection(m, collections[i]);
        if (!c || c->kind_case != PB__COLLECTION_DEF__KIND_NODE_LIST) continue;
        for (size_t k = 0; k < c->node_list->n_value; k++) ok &= add_init(tf, c->node_list->value[k], &names, d);
    }
    const Pb__SignatureEntry *s = find_signature(m, "__saved_model_init_op");
    for (size_t i = 0; s && i < s->value->n_outputs; i++) {
        const Pb__TensorInfo *info = s->value->outputs[i]->value;
        if (info && info->encoding_case == PB__TENSOR_INFO__ENCODING_NAME) ok &= add_init(tf, info->name, &names, d);
    }
    tf->init_nodes = names.data;
    tf->n_init_nodes = names.len;
    return ok;
}

/* Makes the node that stands for an asset (a placeholder, or a constant with a path on the writer's machine) a constant
 * with the file's path. */
static void set_asset_path(TfGraph *tf, const char *tensor, const char *file) {
    uint64_t at = map_get(&tf->main.index, arena_strndup(tf->arena, tensor, strcspn(tensor, ":")), UINT64_MAX);
    if (at == UINT64_MAX || !tf->assets_dir) return;
    StringElement *path = NEW(tf->arena, StringElement);
    path->data = arena_printf(tf->arena, "%s/%s", tf->assets_dir, file);
    path->size = strlen(path->data);
    TfNode *n = &tf->main.nodes[at];
    n->op = "Const";
    n->n_inputs = n->n_controls = 0;
    n->attrs = NEW_ARRAY(tf->arena, TfAttr, 2);
    n->n_attrs = 2;
    n->attrs[0] = (TfAttr){.name = "dtype", .kind = TF_ATTR_TYPE, .v.i = dtype_info(DTYPE_STRING)->tf};
    n->attrs[1] = (TfAttr){.name = "value", .kind = TF_ATTR_TENSOR, .v.tensor = {.dtype = DTYPE_STRING, .data = path}};
}

static bool read_asset(TfGraph *tf, const Pb__AssetFileDef *asset, Diag *d) {
    const char *file = asset->filename;
    if (!asset->tensor_info || asset->tensor_info->encoding_case != PB__TENSOR_INFO__ENCODING_NAME) return true;
    if (!*file || *file == '/' || strstr(file, ".."))
        return diag_error(d, NULL, NULL, "the asset '%s' lies outside the model's assets folder", file);
    if (map_add(&tf->assets, asset->tensor_info->name, (uint64_t)(uintptr_t)file))
        set_asset_path(tf, asset->tensor_info->name, file);
    return true;
}

/* TensorFlow 1 puts its assets into a collection. */
static bool read_assets(TfGraph *tf, const char *directory, const Pb__MetaGraphDef *m, Diag *d) {
    bool ok = true;
    tf->assets_dir = arena_printf(tf->arena, "%s/assets", directory);
    for (size_t i = 0; i < m->n_asset_file_def; i++) ok &= read_asset(tf, m->asset_file_def[i], d);
    const Pb__CollectionDef *c = m->n_asset_file_def ? NULL : find_collection(m, "saved_model_assets");
    if (!c || c->kind_case != PB__COLLECTION_DEF__KIND_ANY_LIST) return ok;
    for (size_t i = 0; i < c->any_list->n_value; i++) {
        const ProtobufCBinaryData *bytes = &c->any_list->value[i]->value;
        const Pb__AssetFileDef *asset = (const Pb__AssetFileDef *)wire_read(tf->arena, &pb__asset_file_def__descriptor,
                                                                            bytes->data, bytes->len, "AssetFileDef", d);
        ok &= asset && read_asset(tf, asset, d);
    }
    return ok;
}

/* What the directory is instead. */
static bool no_saved_model(Arena *arena, const char *directory, Diag *d) {
    static const struct {
        const char *file, *what;
    } others[] = {
        {"model.tflite", "it holds a TensorFlow Lite model; the TensorFlow model that it was converted from is needed"},
        {"export.meta", "it holds a session bundle (export.meta), TensorFlow's format before SavedModel; export it "
                        "again with a TensorFlow 1 that reads it"},
        {"checkpoint", "it holds a training checkpoint, which has variables but no graph; export the model"},
        {"saved_model.json", "it holds a model of another program"},
        {"model.json", "it holds a TensorFlow.js model; the SavedModel that it was converted from is needed"},
        {"config.json", "it holds a Keras model without its graph; export it with model.export()"},
        {"keras_metadata.pb", "it lacks its graph"},
        {"variables/variables.index", "its graph is missing"}};
    const char *what = NULL;
    for (size_t i = 0; i < ARRAY_LEN(others) && !what; i++)
        if (file_exists(arena_printf(arena, "%s/%s", directory, others[i].file))) what = others[i].what;
    return diag_error(d, NULL, NULL, "%s holds no saved_model.pb: it is not a SavedModel directory%s%s", directory,
                      what ? "; " : "", what ? what : "");
}

/* Nodes behind a signature's outputs that change a variable, and variables that others change: reported, when there is
   no signature without them, as the real reason why the model cannot be compiled. */
static bool changes_variables(const TfGraph *tf, const Pb__SignatureEntry *s, uint32_t *out_node) {
    const TfBody *body = &tf->main;
    Arena *scratch = arena_new();
    bool *seen = NEW_ARRAY(scratch, bool, body->n_nodes + 1), found = false;
    VEC(uint32_t) work = {0};
    for (size_t i = 0; i < s->value->n_outputs; i++) {
        const Pb__TensorInfo *info = s->value->outputs[i]->value;
        if (!info || info->encoding_case != PB__TENSOR_INFO__ENCODING_NAME) continue;
        MapEntry *e = map_find_bytes(&body->index, info->name, strcspn(info->name, ":"));
        if (e) vec_push(scratch, &work, (uint32_t)e->value);
    }
    while (work.len && !found) {
        uint32_t at = work.data[--work.len];
        if (at >= body->n_nodes || seen[at]) continue;
        seen[at] = true;
        const TfNode *n = &body->nodes[at];
        found = strncmp(n->op, "Assign", 6) == 0;
        if (found) *out_node = at;
        for (uint32_t i = 0; i < n->n_inputs; i++) vec_push(scratch, &work, n->inputs[i].node);
    }
    arena_free(scratch);
    return found;
}

static void report_changes(const TfGraph *tf, const Pb__MetaGraphDef *m, Diag *d) {
    for (size_t i = 0; i < m->n_signature_def; i++) {
        const Pb__SignatureEntry *s = m->signature_def[i];
        uint32_t node;
        if (!s->value || is_internal(s->key) || !changes_variables(tf, s, &node)) continue;
        const TfNode *n = &tf->main.nodes[node];
        diag_unsupported(d, n->name, n->op,
                         "signature '%s' changes a variable when the model runs; a compiled model's variables are "
                         "constants",
                         s->key);
    }
}

/* The graph's file in a SavedModel directory, NULL where there is none. */
static const char *graph_file(Arena *arena, const char *directory) {
    const char *const names[] = {"saved_model.pb", "saved_model.pbtxt"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *path = arena_printf(arena, "%s/%s", directory, names[i]);
        if (file_exists(path)) return path;
    }
    return NULL;
}

/* In a folder of versions (model/1, model/2, …) the one of the largest number, as TensorFlow Serving takes it, that has
   a graph, or any; NULL where there is none. */
static const char *newest_version(Arena *arena, const char *base, bool with_graph) {
    DIR *folder = opendir(base);
    long long newest = -1;
    const char *found = NULL;
    for (const struct dirent *e; folder && (e = readdir(folder));) {
        char *end;
        errno = 0;
        const long long number = strtoll(e->d_name, &end, 10);
        if (e->d_name[0] < '0' || e->d_name[0] > '9' || *end || errno || number <= newest) continue;
        const char *directory = arena_printf(arena, "%s/%s", base, e->d_name);
        if (with_graph ? !graph_file(arena, directory) : !file_is_directory(directory)) continue;
        newest = number;
        found = directory;
    }
    if (folder) closedir(folder);
    return found;
}

bool read_saved_model(TfGraph *tf, const char *directory, const ReadOptions *options, Diag *d) {
    FileMap file;
    Arena *arena = tf->arena;
    while (directory[0] && directory[1] && directory[strlen(directory) - 1] == '/')
        directory = arena_strndup(arena, directory, strlen(directory) - 1);
    const char *path = graph_file(arena, directory);
    if (!path) {
        const char *newest = newest_version(arena, directory, true), *other = newest_version(arena, directory, false);
        if (!newest) return no_saved_model(arena, other ? other : directory, d);
        diag_note(d, NULL, NULL, "holds versions; the newest is taken: %s", newest);
        directory = newest;
        path = graph_file(arena, newest);
    }
    tf->directory = directory;
    if (!file_map(&file, arena, path, d)) return false;
    const Pb__SavedModel *m =
        (const Pb__SavedModel *)read_message_file(arena, &pb__saved_model__descriptor, &file, path, d);
    if (!m) return false;
    if (m->saved_model_schema_version > 1)
        return diag_unsupported(d, NULL, NULL, "SavedModel schema version %d; version 1 is understood",
                                (int)m->saved_model_schema_version);
    const Pb__MetaGraphDef *graph = choose_graph(arena, m, options, d);
    if (!graph) return false;
    if (!graph->graph_def) return diag_error(d, NULL, NULL, "the SavedModel's graph is missing");
    tf->hash = hash_file(&file);
    GraphReader r = {.tf = tf, .d = d};
    const Pb__SignatureEntry *signature;
    bool ok = choose_signature(arena, graph, options, &signature, d);
    if (!read_graph(&r, graph->graph_def)) return false;
    variables_forward(tf);
    if (!ok && !options->signature) report_changes(tf, graph, d);
    if (ok && signature) {
        tf->signature = signature->key;
        ok &= read_ports(arena, signature->value->n_inputs, signature->value->inputs, &tf->inputs, &tf->n_inputs, d);
        ok &=
            read_ports(arena, signature->value->n_outputs, signature->value->outputs, &tf->outputs, &tf->n_outputs, d);
        ok = ok && check_ports(tf, tf->n_inputs, tf->inputs, d) && check_ports(tf, tf->n_outputs, tf->outputs, d);
    }
    ok &= read_init(tf, graph, d);
    ok &= read_assets(tf, directory, graph, d);
    return read_variables(tf, directory, d) && ok;
}

/* Lookup tables. The op that makes a table keeps it in its state, for as long as the session lives, and gives a handle
   (the table's address); the others work on the handle. What fills a table before the first request is called in every
   run and does its work in the first one; other imports of what the table holds already are skipped. Keys are strings
   or integers; the bytes of strings are copied into the table. A dense table has two keys that mean "empty" and
   "removed" and cannot be used; a saved one holds them in its unused places. */
#include "hostops/text.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint64_t hash;
    char *key; /* one block: the key, then the value (of strings each size and text) */
    uint64_t key_size;
    char *value;
    uint64_t value_size;
    bool used, removed;
} Entry;

typedef struct {
    Entry *entries; /* open addressing */
    uint64_t capacity, used, live;
    uint64_t filled; /* hash of the last import */
    int32_t key_type, value_type;
    int64_t key_length; /* elements of a key: more than one in dense tables whose keys are vectors */
    char *reserved[2];  /* of dense tables; NULL otherwise */
    uint64_t reserved_size[2];
} Table;

static void table_free(void *state) {
    Table *t = state;
    for (uint64_t i = 0; i < t->capacity; i++) free(t->entries[i].key);
    free(t->entries);
    for (int i = 0; i < 2; i++) free(t->reserved[i]);
    free(t);
}

static uint64_t mix(uint64_t h, const void *data, uint64_t n) {
    const uint8_t *p = data;
    for (uint64_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

/* The bytes that make element i: of a string its text, of others the element. */
static TfoptString element(const TfoptTensor *t, int64_t i) {
    if (t->dtype == TFOPT_STRING) return ((const TfoptString *)t->data)[i];
    const uint64_t size = tfopt_dtype_bytes(t->dtype);
    return (TfoptString){(const char *)t->data + (uint64_t)i * size, size};
}

/* Keys in a tensor, and the bytes of key i. */
static int64_t key_count(const Table *t, const TfoptTensor *keys) {
    return t->key_length > 0 ? tfopt_elements(keys) / t->key_length : 0;
}
static TfoptString key_at(const Table *t, const TfoptTensor *keys, int64_t i) {
    if (t->key_length == 1) return element(keys, i);
    const uint64_t size = tfopt_dtype_bytes(keys->dtype) * (uint64_t)t->key_length;
    return (TfoptString){(const char *)keys->data + (uint64_t)i * size, size};
}

/* Whether keys have the table's type, and, where they are vectors, its last dim. */
static bool keys_fit(const Table *t, const TfoptTensor *keys) {
    return keys->dtype == t->key_type &&
           (t->key_length == 1 || (keys->rank > 0 && keys->dims[keys->rank - 1] == t->key_length));
}

static uint64_t hash_of(TfoptString key) {
    const uint64_t raw = mix(0xcbf29ce484222325u, key.data, key.size);
    return raw ^ raw >> 29;
}

static Entry *find_hashed(const Table *t, TfoptString key, uint64_t hash) {
    if (t->capacity == 0) return NULL;
    for (uint64_t at = hash & (t->capacity - 1);; at = (at + 1) & (t->capacity - 1)) {
        Entry *e = &t->entries[at];
        if (!e->used) return e;
        if (e->hash == hash && e->key_size == key.size && memcmp(e->key, key.data, key.size) == 0) return e;
    }
}

static Entry *find(const Table *t, TfoptString key) {
    return find_hashed(t, key, hash_of(key));
}

static bool grow(Table *t) {
    const uint64_t capacity = t->capacity ? t->capacity * 2 : 64;
    Entry *entries = calloc(capacity, sizeof *entries);
    if (!entries) return false;
    for (uint64_t i = 0; i < t->capacity; i++) {
        if (!t->entries[i].used) continue;
        uint64_t at = t->entries[i].hash & (capacity - 1);
        while (entries[at].used) at = (at + 1) & (capacity - 1);
        entries[at] = t->entries[i];
    }
    free(t->entries);
    t->entries = entries;
    t->capacity = capacity;
    return true;
}

/* Value elements [first, first + n) as one block: strings with their sizes in front. */
static uint64_t value_bytes(const TfoptTensor *t, int64_t first, int64_t n) {
    uint64_t bytes = 0;
    for (int64_t i = first; i < first + n; i++)
        bytes += element(t, i).size + (t->dtype == TFOPT_STRING ? sizeof(uint64_t) : 0);
    return bytes;
}

static bool insert(Table *t, TfoptString key, const TfoptTensor *values, int64_t first, int64_t n) {
    if (t->used * 2 >= t->capacity && !grow(t)) return false;
    Entry *e = find(t, key);
    const uint64_t size = value_bytes(values, first, n);
    char *block = malloc(key.size + size + 1);
    if (!block) return false;
    if (key.size) memcpy(block, key.data, key.size);
    char *to = block + key.size;
    for (int64_t i = first; i < first + n; i++) {
        const TfoptString v = element(values, i);
        if (values->dtype == TFOPT_STRING) {
            memcpy(to, &v.size, sizeof v.size);
            to += sizeof v.size;
        }
        if (v.size) memcpy(to, v.data, v.size);
        to += v.size;
    }
    if (!e->used) {
        e->hash = hash_of(key);
        e->used = true;
        t->used++;
        t->live++;
    } else if (e->removed) {
        t->live++;
    }
    e->removed = false;
    free(e->key);
    e->key = block;
    e->key_size = key.size;
    e->value = block + key.size;
    e->value_size = size;
    return true;
}

static bool is_reserved(const Table *t, TfoptString key) {
    for (int i = 0; i < 2; i++) {
        if (t->reserved[i] && key.size == t->reserved_size[i] &&
            (key.size == 0 || memcmp(key.data, t->reserved[i], key.size) == 0))
            return true;
    }
    return false;
}

static bool any_reserved(const Table *t, const TfoptTensor *keys) {
    for (int64_t i = 0, n = t->reserved[0] ? key_count(t, keys) : 0; i < n; i++) {
        if (is_reserved(t, key_at(t, keys, i))) return true;
    }
    return false;
}

static int32_t use_of_reserved(TfoptHostCall *call) {
    return tfopt_invalid(call, "the table's empty_key or deleted_key cannot be used as a key");
}

/* Empty and removed key: the inputs of a dense table. */
static bool reserve_keys(TfoptHostCall *call, Table *t) {
    for (int i = 0; i < 2 && i < call->n_inputs; i++) {
        const TfoptTensor *in = &call->inputs[i];
        if (i == 0 && in->dtype == t->key_type && in->dtype != TFOPT_STRING) t->key_length = tfopt_elements(in);
        if (in->dtype != t->key_type || tfopt_elements(in) != t->key_length || t->key_length < 1) continue;
        const TfoptString key = key_at(t, in, 0);
        if (!(t->reserved[i] = malloc(key.size + 1))) return false;
        if (key.size) memcpy(t->reserved[i], key.data, key.size);
        t->reserved_size[i] = key.size;
    }
    return true;
}

int32_t tfopt_host_hash_table(TfoptHostCall *call) {
    if (!*call->state) {
        Table *t = calloc(1, sizeof *t);
        if (!t) return tfopt_no_memory(call);
        t->key_type = (int32_t)tfopt_call_int(call, "key_dtype", TFOPT_STRING);
        t->value_type = (int32_t)tfopt_call_int(call, "value_dtype", TFOPT_S64);
        t->key_length = 1;
        if (!reserve_keys(call, t)) {
            table_free(t);
            return tfopt_no_memory(call);
        }
        *call->state = t;
        *call->free_state = table_free;
    }
    uint64_t *handle = tfopt_output_scalar(call, 0);
    if (!handle) return tfopt_no_memory(call);
    *handle = (uint64_t)(uintptr_t)*call->state;
    return TFOPT_OK;
}

static Table *table_of(const TfoptHostCall *call) {
    return (Table *)(uintptr_t) * (const uint64_t *)call->inputs[0].data;
}

/* Elements of one value when there are n keys; -1 when they do not fit. */
static int64_t value_length(int64_t n, const TfoptTensor *values) {
    const int64_t m = tfopt_elements(values);
    if (n == 0) return m == 0 ? 1 : -1;
    return m % n == 0 ? m / n : -1;
}

static int32_t fill(TfoptHostCall *call, bool replace) {
    const TfoptTensor *keys = &call->inputs[1], *values = &call->inputs[2];
    Table *t = table_of(call);
    if (!keys_fit(t, keys) || values->dtype != t->value_type)
        return tfopt_invalid(call, "keys or values have another type than the table");
    const int64_t n = key_count(t, keys), length = value_length(n, values);
    if (!replace && any_reserved(t, keys)) return use_of_reserved(call);
    if (length < 0) return tfopt_invalid(call, "keys and values do not fit");
    uint64_t content = mix(0xcbf29ce484222325u, &n, sizeof n);
    for (int64_t i = 0; i < n; i++)
        content = mix(content, key_at(t, keys, i).data, key_at(t, keys, i).size) * 31 + key_at(t, keys, i).size;
    for (int64_t i = 0; i < n * length; i++)
        content = mix(content, element(values, i).data, element(values, i).size) * 31 + element(values, i).size;
    if (replace && content == t->filled) return TFOPT_OK;
    if (replace) {
        for (uint64_t i = 0; i < t->capacity; i++) free(t->entries[i].key);
        free(t->entries);
        t->entries = NULL;
        t->capacity = t->used = t->live = 0;
    }
    t->filled = 0; /* until all is in */
    for (int64_t i = 0; i < n; i++) {
        if (replace && is_reserved(t, key_at(t, keys, i))) continue;
        if (!insert(t, key_at(t, keys, i), values, i * length, length)) return tfopt_no_memory(call);
    }
    t->filled = replace ? content : 0;
    return TFOPT_OK;
}

int32_t tfopt_host_table_import(TfoptHostCall *call) {
    static const char done = 1;
    if (!tfopt_call_int(call, "_filled_once", 0)) return fill(call, true);
    if (*call->state) return TFOPT_OK;
    const int32_t status = fill(call, true);
    if (status == TFOPT_OK) *call->state = (void *)(uintptr_t)&done;
    return status;
}
int32_t tfopt_host_table_insert(TfoptHostCall *call) {
    return fill(call, false);
}

int32_t tfopt_host_table_remove(TfoptHostCall *call) {
    Table *t = table_of(call);
    const TfoptTensor *keys = &call->inputs[1];
    if (!keys_fit(t, keys)) return tfopt_invalid(call, "keys have another type than the table");
    for (int64_t i = 0, n = key_count(t, keys); i < n; i++) {
        Entry *e = find(t, key_at(t, keys, i));
        if (!e || !e->used || e->removed) continue;
        e->removed = true;
        t->live--;
    }
    t->filled = 0;
    return TFOPT_OK;
}

int32_t tfopt_host_table_size(TfoptHostCall *call) {
    int64_t *out = tfopt_output_scalar(call, 0);
    if (!out) return tfopt_no_memory(call);
    *out = (int64_t)table_of(call)->live;
    return TFOPT_OK;
}

static int32_t other_size(TfoptHostCall *call) {
    return tfopt_invalid(call, "the table's values have another size than is asked for");
}

/* A copy of a stored value into elements [first, …) of out. */
static int32_t read_value(TfoptText *text, const Entry *e, const TfoptTensor *out, int64_t first, int64_t length) {
    const char *from = e->value, *end = e->value + e->value_size;
    if (out->dtype != TFOPT_STRING) {
        const uint64_t size = tfopt_dtype_bytes(out->dtype);
        if (e->value_size != (uint64_t)length * size) return other_size(text->call);
        memcpy((char *)out->data + (uint64_t)first * size, from, e->value_size);
        return TFOPT_OK;
    }
    for (int64_t i = 0; i < length; i++) {
        uint64_t size;
        if ((uint64_t)(end - from) < sizeof size) return other_size(text->call);
        memcpy(&size, from, sizeof size);
        from += sizeof size;
        tfopt_text_add(text, from, size);
        if (text->failed) return tfopt_no_memory(text->call);
        from += size;
        ((TfoptString *)out->data)[first + i] = tfopt_text_take(text);
    }
    return TFOPT_OK;
}

/* (table, keys, default): the default's shape is that of a value. */
int32_t tfopt_host_table_find(TfoptHostCall *call) {
    const Table *t = table_of(call);
    const TfoptTensor *keys = &call->inputs[1], *missing = &call->inputs[2];
    int64_t dims[TFOPT_MAX_RANK];
    if (!keys_fit(t, keys) || missing->dtype != t->value_type)
        return tfopt_invalid(call, "keys or default have another type than the table");
    if (any_reserved(t, keys)) return use_of_reserved(call);
    const int32_t rank = keys->rank - (t->key_length > 1);
    if (rank + missing->rank > TFOPT_MAX_RANK) return tfopt_invalid(call, "too many dimensions");
    for (int32_t i = 0; i < rank; i++) dims[i] = keys->dims[i];
    for (int32_t i = 0; i < missing->rank; i++) dims[rank + i] = missing->dims[i];
    char *out = tfopt_host_output(call, 0, rank + missing->rank, dims);
    if (!out) return tfopt_no_memory(call);
    const int64_t n = key_count(t, keys), length = tfopt_elements(missing);
    const uint64_t bytes = (uint64_t)length * tfopt_dtype_bytes(missing->dtype);
    TfoptText text = {.call = call};
    enum { AHEAD = 16 }; /* keys whose entries come from memory together */
    uint64_t hashes[AHEAD] = {0};
    for (int64_t i = 0; i < n; i++) {
        const int64_t group = n - i < AHEAD ? n - i : AHEAD;
        if (i % AHEAD == 0 && t->capacity) {
            for (int64_t k = 0; k < group; k++) {
                hashes[k] = hash_of(key_at(t, keys, i + k));
                __builtin_prefetch(&t->entries[hashes[k] & (t->capacity - 1)]);
            }
            for (int64_t k = 0; k < group; k++) __builtin_prefetch(t->entries[hashes[k] & (t->capacity - 1)].key);
        }
        const Entry *e = t->capacity ? find_hashed(t, key_at(t, keys, i), hashes[i % AHEAD]) : NULL;
        if (e && e->used && !e->removed) {
            const int32_t status = read_value(&text, e, &call->outputs[0], i * length, length);
            if (status) return status;
        } else if (bytes) {
            memcpy(out + (uint64_t)i * bytes, missing->data, bytes);
        }
    }
    return TFOPT_OK;
}

/* Keys and values in the order of the table's slots. */
int32_t tfopt_host_table_export(TfoptHostCall *call) {
    const Table *t = table_of(call);
    const TfoptTensor *values = &call->outputs[1]; /* n, then the shape of a value, which the program knows */
    int64_t key_dims[2] = {(int64_t)t->live, t->key_length}, dims[TFOPT_MAX_RANK] = {(int64_t)t->live};
    for (int32_t i = 1; i < values->rank; i++) dims[i] = values->dims[i];
    if (!tfopt_host_output(call, 0, t->key_length > 1 ? 2 : 1, key_dims) ||
        !tfopt_host_output(call, 1, values->rank, dims))
        return tfopt_no_memory(call);
    const int64_t length = tfopt_dims_product(dims, 1, values->rank);
    int64_t n = 0;
    TfoptText text = {.call = call};
    for (uint64_t i = 0; i < t->capacity; i++) {
        const Entry *e = &t->entries[i];
        if (!e->used || e->removed) continue;
        if (call->outputs[0].dtype == TFOPT_STRING) {
            tfopt_text_add(&text, e->key, e->key_size);
            if (text.failed) return tfopt_no_memory(call);
            ((TfoptString *)call->outputs[0].data)[n] = tfopt_text_take(&text);
        } else {
            memcpy((char *)call->outputs[0].data + (uint64_t)n * e->key_size, e->key, e->key_size);
        }
        const int32_t status = read_value(&text, e, values, n * length, length);
        if (status) return status;
        n++;
    }
    return TFOPT_OK;
}

/* fuzz_checkpoint: one byte (raw or compressed), a data block of a checkpoint's index, and in the last quarter its data
   file → every tensor. The table around the block is built here, since damaged bytes would not get past its checksums.
 */
#include "fuzz.h"

#include "table_build.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    Arena *arena = arena_new();
    Diag d;
    Str file;
    diag_init(&d, arena, "fuzz");
    str_init(&file, arena);
    size_t rest = size - 1, shard = rest / 4, block = rest - shard;
    table_build(&file, data + 1, block, data[0] & 1);
    Checkpoint c = {
        .arena = arena, .prefix = "fuzz", .n_shards = 1, .shards = NEW(arena, FileMap), .shard_open = NEW(arena, bool)};
    map_init(&c.entries, arena);
    crc32c_init(&c.crc);
    c.shards[0] = (FileMap){.data = data + 1 + block, .size = shard};
    c.shard_open[0] = true;
    if (table_read(arena, (const uint8_t *)file.data, file.len, "fuzz", &c.entries, &c.values, &d)) {
        Tensor t;
        for (uint32_t i = 0; i < c.entries.entries.len; i++)
            if (strlen(c.entries.entries.data[i].key) == c.entries.entries.data[i].key_len)
                checkpoint_tensor(&c, c.entries.entries.data[i].key, i % 3 ? "" : "2 2 0,1:-", &t, &d);
    } else if (!d.n_errors) {
        BUG("refused without a message");
    }
    arena_free(arena);
    return 0;
}

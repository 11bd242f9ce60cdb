/* fuzz_pbtxt: bytes → text format of a GraphDef and of a SavedModel. */
#include "fuzz.h"

#include "frontend/message.h"
#include "saved_model.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const ProtobufCMessageDescriptor *const types[] = {&pb__graph_def__descriptor, &pb__saved_model__descriptor};
    for (int i = 0; i < 2; i++) {
        Arena *arena = arena_new();
        Diag d;
        diag_init(&d, arena, "fuzz");
        if (!pbtxt_read(arena, types[i], (const char *)data, size, &d) && !d.n_errors) BUG("refused without a message");
        arena_free(arena);
    }
    return 0;
}

/* fuzz_values: bytes → the files that programs made by tfoptc read: .npy, .npz (and what it is packed with), .json. */
#include "fuzz.h"

#include "main/values.h"
#include <stdlib.h>
#include <string.h>

/* What such a program reads lives as long as it does: LeakSanitizer, where there is one, is not to look. */
__attribute__((weak)) void __lsan_disable(void);
__attribute__((weak)) void __lsan_enable(void);

static void read_as(const TfoptPort *port, Bytes file) {
    static uint8_t room[1 << 12];
    TfoptTensor t = {0};
    Bytes npy = {0};
    if (!npy_parse(file, port->dtype, &t)) free(t.data);
    if (!npz_find(file, port->name, true, &npy) && !npy_parse(npy, port->dtype, &t)) free(t.data);
    if (!json_parse(file, port, &t)) free(t.data);
    value_unpack(file.data, file.size, room, file.size % sizeof room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const int64_t dims[] = {2, 3};
    static const TfoptPort ports[] = {{.name = "a:0", .dtype = TFOPT_F32, .rank = 2, .dims = dims},
                                      {.name = "b", .dtype = TFOPT_S32, .rank = 0},
                                      {.name = "s", .dtype = TFOPT_STRING, .rank = 2, .dims = dims}};
    uint8_t *copy = malloc(size + 1); /* readers rely on the NUL byte behind a file */
    if (!copy) return 0;
    memcpy(copy, data, size);
    copy[size] = 0;
    if (__lsan_disable) __lsan_disable();
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) read_as(&ports[i], (Bytes){copy, size});
    if (__lsan_enable) __lsan_enable();
    free(copy);
    return 0;
}

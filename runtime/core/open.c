/* open: models in shared objects. Apart from model.c, so that programs with a linked-in model do not need dlopen. */
#include "core/core.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void unload(void *library) {
    dlclose(library);
}

TfoptStatus tfopt_open(const char *path, TfoptModel **out) {
    char *why = core_open_error();
    *out = NULL;
    char *with_folder = NULL;
    if (!strchr(path, '/')) { /* dlopen would look into the system's folders */
        with_folder = malloc(strlen(path) + 3);
        if (!with_folder) return TFOPT_NO_MEMORY;
        sprintf(with_folder, "./%s", path);
    }
    void *library = dlopen(with_folder ? with_folder : path, RTLD_NOW | RTLD_LOCAL);
    free(with_folder);
    if (!library) {
        const char *text = dlerror();
        snprintf(why, ERROR_TEXT, "%s", text ? text : "dlopen failed");
        return TFOPT_CANNOT_LOAD;
    }
    void *symbol = dlsym(library, TFOPT_MODEL_SYMBOL);
    TfoptModelDataFn *get;
    _Static_assert(sizeof get == sizeof symbol, "POSIX: dlsym's pointers may be functions");
    memcpy(&get, &symbol, sizeof get);
    if (!get) {
        snprintf(why, ERROR_TEXT, "%s: not compiled by tfoptc (no %s)", path, TFOPT_MODEL_SYMBOL);
        dlclose(library);
        return TFOPT_CANNOT_LOAD;
    }
    TfoptStatus status = tfopt_open_data(get(), out);
    if (status)
        dlclose(library);
    else
        (*out)->library = library, (*out)->unload = unload;
    return status;
}

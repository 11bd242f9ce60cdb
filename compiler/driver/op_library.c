/* op_library: shared objects with the user's own ops. They are code that the user asks tfoptc to run; what they say of
   themselves is checked nevertheless, since a library of another version is an easy mistake. */
#include "driver/op_library.h"

#include "base/file.h"
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* dlopen searches the system's folders for names without a slash: a file is meant here. */
static const char *path_of(Arena *arena, const char *file) {
    return strchr(file, '/') ? file : arena_printf(arena, "./%s", file);
}

static void *open_library(Arena *arena, const char *file, Diag *d) {
    const char *path = path_of(arena, file);
    if (!file_exists(path) || file_is_directory(path)) {
        diag_error(d, NULL, NULL, "--op-library %s: there is no such file", file);
        return NULL;
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) diag_error(d, NULL, NULL, "--op-library %s: %s", file, dlerror());
    return library;
}

/* dlsym finds the functions of what a library is linked with too; those are not its own. */
static void *own_symbol(void *library, const char *name) {
    struct link_map *map = NULL;
    Dl_info info;
    void *symbol = dlsym(library, name);
    if (!symbol || dlinfo(library, RTLD_DI_LINKMAP, &map) != 0 || !dladdr(symbol, &info)) return NULL;
    return (uintptr_t)info.dli_fbase == (uintptr_t)map->l_addr || strcmp(info.dli_fname, map->l_name) == 0 ? symbol
                                                                                                           : NULL;
}

bool op_libraries_load(CustomOps *out, Arena *arena, uint32_t n, const char *const *files, Diag *d) {
    bool ok = true;
    for (uint32_t i = 0; i < n; i++) {
        void *library = open_library(arena, files[i], d);
        void *symbol = library ? own_symbol(library, TFOPT_OP_LIBRARY_SYMBOL) : NULL;
        TfoptOpLibraryFn *describe = NULL;
        if (library && !symbol)
            diag_error(d, NULL, NULL,
                       "--op-library %s: it is no op library: it has no function " TFOPT_OP_LIBRARY_SYMBOL
                       " (TFOPT_OP_LIBRARY of tfopt_op.h writes it)",
                       files[i]);
        else if (library)
            memcpy(&describe, &symbol, sizeof describe); /* ISO C knows no cast from object to function pointers */
        ok = describe && custom_ops_add(out, arena, describe(), files[i], d) && ok;
    }
    return ok;
}

static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *op_library_soname(Arena *arena, const char *file, Diag *d) {
    struct link_map *map = NULL;
    void *library = open_library(arena, file, d);
    if (!library) return NULL;
    const char *strings = NULL;
    ElfW(Xword) name = 0;
    bool found = false;
    if (dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 && map)
        for (const ElfW(Dyn) *e = map->l_ld; e && e->d_tag != DT_NULL; e++) {
            if (e->d_tag == DT_STRTAB) strings = (const char *)e->d_un.d_ptr; /* the loader has relocated it */
            if (e->d_tag == DT_SONAME) name = e->d_un.d_val, found = true;
        }
    const char *soname = found && strings ? arena_strdup(arena, strings + name) : arena_strdup(arena, file_name(file));
    dlclose(library);
    return soname;
}

bool op_libraries_link_into(Arena *arena, const char *directory, uint32_t n, const char *const *files, Diag *d) {
    for (uint32_t i = 0; i < n; i++) {
        const char *name = op_library_soname(arena, files[i], d);
        if (!name) return false;
        char *real = realpath(path_of(arena, files[i]), NULL);
        const char *at = arena_printf(arena, "%s/%s", directory, file_name(name));
        bool ok = real && (symlink(real, at) == 0 || errno == EEXIST);
        free(real);
        if (!ok) return diag_error(d, NULL, NULL, "cannot make '%s': %s", at, strerror(errno));
    }
    return true;
}

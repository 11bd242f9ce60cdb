/* llvm: contexts, modules, target machines and output files. The only caller of llvm-c besides codegen/mlir, which
   hands modules over. Assumes: a unit is used by one thread. Leaves: files whose bytes depend on the module only. */
#include "codegen/llvm/llvm.h"
#include <llvm-c/Analysis.h>
#include <llvm-c/Core.h>
#include <llvm-c/ErrorHandling.h>
#include <llvm-c/Linker.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct LlvmUnit {
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMTargetMachineRef machine;
    LLVMTargetDataRef layout;
    const char *triple;
};

/* Without memory LLVM and the C++ library end in abort(), which leaves temporary files. There is no C interface to tell
   them otherwise; weak, so that another LLVM than the one that was tried still links. */
typedef void BadAllocHandler(void *user, const char *reason, bool make_crash_report);
typedef void NewHandler(void);
__attribute__((weak)) void
llvm_install_bad_alloc_handler(BadAllocHandler *handler,
                               void *user) __asm__("_ZN4llvm31install_bad_alloc_error_handlerEPFvPvPKcbES0_");
__attribute__((weak)) NewHandler *cxx_set_new_handler(NewHandler *handler) __asm__("_ZSt15set_new_handlerPFvvE");

static void no_memory(void) {
    arena_out_of_memory("while code is generated");
}

static void no_memory_in_llvm(void *user, const char *reason, bool make_crash_report) {
    (void)user, (void)reason, (void)make_crash_report;
    no_memory();
}

/* What LLVM's streams cannot write they say only so. */
static void fatal_error(const char *reason) {
    if (!strstr(reason, "IO failure")) BUG("LLVM: %s", reason);
    fprintf(stderr, "tfoptc: cannot write code: %s\n", reason);
    exit(EXIT_INPUT);
}

void llvm_handle_errors(void) {
    LLVMResetFatalErrorHandler(); /* a second one would be refused */
    LLVMInstallFatalErrorHandler(fatal_error);
    if (cxx_set_new_handler) cxx_set_new_handler(no_memory);
    if (llvm_install_bad_alloc_handler) llvm_install_bad_alloc_handler(no_memory_in_llvm, NULL);
}

/* The targets that code is emitted for: the rest of LLVM stays asleep. Repeating it does no harm. */
static void initialise_targets(void) {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser(); /* module-level assembler text */
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
    LLVMInitializeAArch64AsmParser();
}

LlvmUnit *llvm_unit_new(Arena *arena, const char *triple, const IsaRow *baseline, Diag *d) {
    initialise_targets();
    LLVMTargetRef target;
    char *message = NULL;
    if (LLVMGetTargetFromTriple(triple, &target, &message)) {
        diag_usage(d, "no code can be made for target '%s': %s", triple, message);
        LLVMDisposeMessage(message);
        return NULL;
    }
    LlvmUnit *u = NEW(arena, LlvmUnit);
    u->triple = arena_strdup(arena, triple);
    u->machine = LLVMCreateTargetMachine(target, triple, baseline->cpu, baseline->features, LLVMCodeGenLevelDefault,
                                         LLVMRelocPIC, LLVMCodeModelDefault);
    u->layout = LLVMCreateTargetDataLayout(u->machine);
    u->context = LLVMContextCreate();
    u->module = LLVMModuleCreateWithNameInContext("tfopt", u->context);
    LLVMSetTarget(u->module, triple);
    LLVMSetModuleDataLayout(u->module, u->layout);
    return u;
}

void llvm_unit_free(LlvmUnit *u) {
    LLVMDisposeModule(u->module);
    LLVMContextDispose(u->context);
    LLVMDisposeTargetData(u->layout);
    LLVMDisposeTargetMachine(u->machine);
}

void *llvm_unit_context(LlvmUnit *u) {
    return u->context;
}

void llvm_unit_link(LlvmUnit *u, void *module) {
    LLVMModuleRef m = module;
    LLVMSetTarget(m, u->triple);
    LLVMSetModuleDataLayout(m, u->layout);
    if (LLVMLinkModules2(u->module, m)) BUG("modules of kernels cannot be linked"); /* takes m in any case */
}

void llvm_unit_append_asm(LlvmUnit *u, const char *text, size_t len) {
    LLVMAppendModuleInlineAsm(u->module, text, len);
}

bool llvm_unit_emit(LlvmUnit *u, LlvmFileKind kind, const char *path, Diag *d) {
    char *message = NULL;
    if (LLVMVerifyModule(u->module, LLVMReturnStatusAction, &message)) BUG("LLVM module: %s", message);
    LLVMDisposeMessage(message);
    message = NULL;
    LLVMBool failed;
    if (kind == LLVM_IR) {
        failed = LLVMPrintModuleToFile(u->module, path, &message);
    } else {
        LLVMModuleRef copy = LLVMCloneModule(u->module); /* code generation changes the module */
        failed = LLVMTargetMachineEmitToFile(u->machine, copy, path,
                                             kind == LLVM_OBJECT ? LLVMObjectFile : LLVMAssemblyFile, &message);
        LLVMDisposeModule(copy);
    }
    if (failed) {
        diag_error(d, NULL, NULL, "cannot write '%s': %s", path, message);
        LLVMDisposeMessage(message);
        unlink(path);
    }
    return !failed;
}

static const char *take(Arena *arena, char *message) {
    const char *copy = arena_strdup(arena, message);
    LLVMDisposeMessage(message);
    return copy;
}

const char *llvm_default_triple(Arena *arena) {
    return take(arena, LLVMGetDefaultTargetTriple());
}
const char *llvm_host_cpu(Arena *arena) {
    return take(arena, LLVMGetHostCPUName());
}
const char *llvm_host_features(Arena *arena) {
    return take(arena, LLVMGetHostCPUFeatures());
}

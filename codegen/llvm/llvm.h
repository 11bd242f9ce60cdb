/* llvm: owns contexts, target machines and object emission; the only room that includes llvm-c (with codegen/mlir,
 * which hands modules over). */
#ifndef TFOPT_CODEGEN_LLVM_H
#define TFOPT_CODEGEN_LLVM_H
#include "codegen/cpu/isa.h"

typedef struct LlvmUnit LlvmUnit; /* one output object: a context and a growing module */

/* Once, before anything else: what LLVM cannot do ends the program by exit(), as what we cannot do does, not by
   abort(). */
void llvm_handle_errors(void);
/* `pic` code for triple; functions carry their own cpu and features, `baseline` is that of everything else. */
LlvmUnit *llvm_unit_new(Arena *arena, const char *triple, const IsaRow *baseline, Diag *d);
void llvm_unit_free(LlvmUnit *u);
void *llvm_unit_context(LlvmUnit *u);           /* LLVMContextRef, for codegen/mlir */
void llvm_unit_link(LlvmUnit *u, void *module); /* takes an LLVMModuleRef of that context */
/* Assembler text at module level: descriptors and `.incbin` of weights (codegen/object). */
void llvm_unit_append_asm(LlvmUnit *u, const char *text, size_t len);
typedef enum { LLVM_OBJECT, LLVM_ASSEMBLY, LLVM_IR } LlvmFileKind;
bool llvm_unit_emit(LlvmUnit *u, LlvmFileKind kind, const char *path, Diag *d);
const char *llvm_default_triple(Arena *arena);
const char *llvm_host_cpu(Arena *arena);
const char *llvm_host_features(Arena *arena);
#endif

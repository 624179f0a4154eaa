/*
 * The calls of llama.cpp with which a worker cuts a prompt's blocks out of its cache, from C: the anchor of kv.cut_vs_c.
 * Arguments: folder of the libraries, their names (llama, ggml), model, tokens, cells, file for the blocks. Computes the
 * prompt, says "ready BYTES" (of a block), then cuts all blocks for every line on stdin and says the nanoseconds.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Larger than any of the structs: passed and returned in memory, so that the surplus is not looked at. */
typedef struct { uint64_t words[32]; } params;
typedef struct { int32_t count; int32_t pad; void *token, *embd, *pos, *n_seq, *seq, *logits; } batch;

static void *symbol(void *library, const char *name) {
  void *found = dlsym(library, name);
  if (!found) { fprintf(stderr, "no %s\n", name); exit(1); }
  return found;
}

static void set_u32(params *p, int offset, uint32_t value) { memcpy((char *)p + offset, &value, 4); }

int main(int argc, char **argv) {
  if (argc != 8) return 2;
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", argv[1], argv[3]);
  void *ggml = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
  snprintf(path, sizeof path, "%s/%s", argv[1], argv[2]);
  void *llama = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
  if (!ggml || !llama) { fprintf(stderr, "%s\n", dlerror()); return 1; }
  int tokens = atoi(argv[5]), cells = atoi(argv[6]);
  void (*silence)(void *, void *) = symbol(llama, "llama_log_set");
  silence(symbol(RTLD_DEFAULT, "getpid"), 0);
  ((void (*)(const char *))symbol(ggml, "ggml_backend_load_all_from_path"))(argv[1]);
  ((void (*)(void))symbol(llama, "llama_backend_init"))();
  params model_params = ((params (*)(void))symbol(llama, "llama_model_default_params"))();
  void *model = ((void *(*)(const char *, params))symbol(llama, "llama_model_load_from_file"))(argv[4], model_params);
  if (!model) return 1;
  params p = ((params (*)(void))symbol(llama, "llama_context_default_params"))();
  set_u32(&p, 0, cells); set_u32(&p, 4, 512); set_u32(&p, 8, 512); set_u32(&p, 12, 33); set_u32(&p, 20, 33);
  set_u32(&p, 28, 1); set_u32(&p, 32, 1); set_u32(&p, 52, 1);
  ((char *)&p)[133] = 1;
  void *context = ((void *(*)(void *, params))symbol(llama, "llama_init_from_model"))(model, p);
  if (!context) return 1;
  void *memory = ((void *(*)(void *))symbol(llama, "llama_get_memory"))(context);
  int32_t (*decode)(void *, batch) = symbol(llama, "llama_decode");
  enum { chunk = 128 };
  int32_t token[chunk], pos[chunk], n_seq[chunk], zero = 0, *seq[chunk];
  int8_t logits[chunk];
  for (int start = 0; start < tokens; start += chunk) {
    for (int i = 0; i < chunk; i++) {
      token[i] = 10 + (int)((int64_t)(start + i) * 7919 % 480);
      pos[i] = start + i; n_seq[i] = 1; seq[i] = &zero; logits[i] = 0;
    }
    batch b = { chunk, 0, token, 0, pos, n_seq, seq, logits };
    if (decode(context, b) != 0) return 1;
  }
  void (*copy)(void *, int32_t, int32_t, int32_t, int32_t) = symbol(llama, "llama_memory_seq_cp");
  uint8_t (*rm)(void *, int32_t, int32_t, int32_t) = symbol(llama, "llama_memory_seq_rm");
  size_t (*size_of)(void *, int32_t) = symbol(llama, "llama_state_seq_get_size");
  size_t (*get)(void *, void *, size_t, int32_t) = symbol(llama, "llama_state_seq_get_data");
  enum { block = 64, spare = 32 };
  copy(memory, 0, spare, 0, block);
  size_t size = size_of(context, spare);
  rm(memory, spare, -1, -1);
  size_t unit = (size + 8191) / 4096 * 4096, all = unit * (tokens / block);
  int fd = open(argv[7], O_RDWR | O_CREAT, 0600);
  if (fd < 0 || ftruncate(fd, all) != 0) return 1;
  char *pool = mmap(0, all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (pool == MAP_FAILED) return 1;
  unlink(argv[7]);
  memset(pool, 0, all);
  printf("ready %zu\n", size);
  fflush(stdout);
  for (int c; (c = getchar()) != EOF;) {
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < tokens / block; i++) {
      copy(memory, 0, spare, i * block, (i + 1) * block);
      if (get(context, pool + i * unit, size, spare) != size) return 1;
      rm(memory, spare, -1, -1);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("%lld\n", (to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec);
    fflush(stdout);
  }
  return 0;
}

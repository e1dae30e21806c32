/* Times calls of the C interface; c_worker.py compiles it against the library. */
#include <stdint.h>
#include <time.h>

#include "ruvector_attention.h"

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Nanoseconds of each call into `ns`, at most `most`, for about `budget` nanoseconds; their number, or -1. */
int64_t time_calls(size_t dim, size_t keys, const float *q, const float *k, const float *v, float *out, int64_t budget,
                   int64_t most, int64_t *ns) {
  rvattn_attention *attention = NULL;
  int64_t count = 0, end = now() + budget;
  if (rvattn_scaled_dot_product_new(dim, &attention) != RVATTN_OK) return -1;
  while (count == 0 || (count < most && now() < end)) {
    int64_t start = now();
    rvattn_status status = rvattn_forward(attention, q, dim, dim, k, keys * dim, v, keys * dim, NULL, out, dim);
    ns[count++] = now() - start;
    if (status != RVATTN_OK) {
      count = -1;
      break;
    }
  }
  rvattn_attention_free(attention);
  return count;
}

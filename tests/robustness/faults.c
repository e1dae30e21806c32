/* Calls the C interface with bad arguments: every argument of every function, every fault of its kind. Each has to
 * give a status of its own and a message, and the process has to compute as before afterwards. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "ruvector_attention.h"

enum { DIM = 4, KEYS = 2, SIZE = DIM * KEYS };

typedef struct {
  const rvattn_attention *attention;
  const float *q, *k, *v;
  size_t q_len, dim, k_len, v_len;
  rvattn_options options;
  float *out;
  size_t out_len;
} call;

static int count, wrong;
/* One more than is used, so that a shifted pointer stays inside. */
static float q[DIM + 1], k[SIZE + 1], v[SIZE + 1], out[SIZE + 1];
static uint8_t mask[KEYS + 1];

static void judge(const char *function, const char *fault, rvattn_status status) {
  const char *message = rvattn_last_error_message();
  count++;
  if (status == RVATTN_OK || status == RVATTN_ERROR_INTERNAL || !message || !*message) {
    wrong++;
    fprintf(stderr, "%s, %s: status %d, message %s\n", function, fault, (int)status, message ? message : "NULL");
  }
}

static void fill(float *numbers, size_t length) {
  for (size_t i = 0; i < length; i++) numbers[i] = 0.1f;
}

static call good(const rvattn_attention *attention) {
  call c;
  fill(q, DIM + 1), fill(k, SIZE + 1), fill(v, SIZE + 1);
  memset(mask, 1, sizeof mask);
  memset(&c, 0, sizeof c);
  c.attention = attention, c.q = q, c.k = k, c.v = v, c.out = out;
  c.q_len = DIM, c.dim = DIM, c.k_len = SIZE, c.v_len = SIZE, c.out_len = DIM;
  return c;
}

static rvattn_status run(const call *c) {
  return rvattn_forward(c->attention, c->q, c->q_len, c->dim, c->k, c->k_len, c->v, c->v_len, &c->options, c->out,
                        c->out_len);
}

/* A fault: its name, and what it does to a good call. */
#define FAULTS(X)                                                          \
  X("no attention", c.attention = NULL)                                    \
  X("no queries", c.q = NULL)                                              \
  X("no keys", c.k = NULL)                                                 \
  X("no values", c.v = NULL)                                               \
  X("no result", c.out = NULL)                                             \
  X("queries not aligned", c.q = (const float *)((const char *)q + 1))     \
  X("keys not aligned", c.k = (const float *)((const char *)k + 2))        \
  X("values not aligned", c.v = (const float *)((const char *)v + 3))      \
  X("result not aligned", c.out = (float *)((char *)out + 1))              \
  X("queries of length 0", c.q_len = 0)                                    \
  X("queries too short", c.q_len = DIM - 1)                                \
  X("queries too long", c.q_len = DIM + 1)                                 \
  X("queries of SIZE_MAX", c.q_len = SIZE_MAX)                             \
  X("queries of half the memory", c.q_len = SIZE_MAX / 8 + 1)              \
  X("dim 0", c.dim = 0)                                                    \
  X("dim 1 too small", c.dim = DIM - 1)                                    \
  X("dim 1 too large", c.dim = DIM + 1)                                    \
  X("dim SIZE_MAX", c.dim = SIZE_MAX)                                      \
  X("keys of length 0", c.k_len = 0)                                       \
  X("keys too short", c.k_len = SIZE - 1)                                  \
  X("keys too long", c.k_len = SIZE + 1)                                   \
  X("keys of SIZE_MAX", c.k_len = SIZE_MAX)                                \
  X("keys of half the memory", c.k_len = SIZE_MAX / 8 + 1)                 \
  X("values of length 0", c.v_len = 0)                                     \
  X("values too short", c.v_len = SIZE - 1)                                \
  X("values too long", c.v_len = SIZE + 1)                                 \
  X("values of SIZE_MAX", c.v_len = SIZE_MAX)                              \
  X("values of half the memory", c.v_len = SIZE_MAX / 8 + 1)               \
  X("result of length 0", c.out_len = 0)                                   \
  X("result too short", c.out_len--)                                       \
  X("result too long", c.out_len++)                                        \
  X("result of SIZE_MAX", c.out_len = SIZE_MAX)                            \
  X("NaN first in queries", q[0] = NAN)                                    \
  X("NaN last in queries", q[DIM - 1] = NAN)                               \
  X("infinity in queries", q[1] = INFINITY)                                \
  X("NaN first in keys", k[0] = NAN)                                       \
  X("NaN last in keys", k[SIZE - 1] = NAN)                                 \
  X("infinity in keys", k[1] = INFINITY)                                   \
  X("NaN first in values", v[0] = NAN)                                     \
  X("NaN last in values", v[SIZE - 1] = NAN)                               \
  X("infinity in values", v[1] = INFINITY)                                 \
  X("minus infinity in values", v[1] = -INFINITY)                          \
  X("0 neighbours", c.options.has_neighbors = 1)                           \
  X("mask too short", (c.options.mask = mask, c.options.mask_len = KEYS - 1)) \
  X("mask too long", (c.options.mask = mask, c.options.mask_len = KEYS + 1))  \
  X("mask of length 0", (c.options.mask = mask, c.options.mask_len = 0))   \
  X("mask of SIZE_MAX", (c.options.mask = mask, c.options.mask_len = SIZE_MAX)) \
  X("no mask, but its length", c.options.mask_len = KEYS)                  \
  X("a mask of no key", (memset(mask, 0, sizeof mask), c.options.mask = mask, c.options.mask_len = KEYS))

static int is_self;

static void forward_faults(const char *name, const rvattn_attention *attention) {
  call c = good(attention);
  if (is_self) c.q_len = c.k_len = c.v_len = SIZE, c.q = c.k = c.v = k, c.out_len = SIZE;
  if (run(&c) != RVATTN_OK) {
    wrong++;
    fprintf(stderr, "%s with good arguments: %s\n", name, rvattn_last_error_message());
  }
#define X(fault, change) \
  c = good(attention);   \
  change;                \
  judge(name, fault, run(&c));
  FAULTS(X)
#undef X
}

static void parameters(void) {
  static const double curvatures[] = {0.0, -0.0, -1.0, NAN, INFINITY, -INFINITY};
  static const double dropouts[] = {1.0, -0.1, NAN, INFINITY, -INFINITY, 2.0};
  rvattn_attention *made = NULL;
  char fault[64];
#define MAKERS(X) X(scaled_dot_product) X(linear) X(cross) X(self)
#define X(kind)                                                          \
  judge("new " #kind, "dim 0", rvattn_##kind##_new(0, &made));           \
  judge("new " #kind, "no place for it", rvattn_##kind##_new(DIM, NULL));
  MAKERS(X)
#undef X
  judge("new multi_head", "0 heads", rvattn_multi_head_new(0, DIM, 0.0, &made));
  judge("new multi_head", "dim 0", rvattn_multi_head_new(2, 0, 0.0, &made));
  judge("new multi_head", "no divisor", rvattn_multi_head_new(3, DIM, 0.0, &made));
  judge("new multi_head", "SIZE_MAX heads", rvattn_multi_head_new(SIZE_MAX, DIM, 0.0, &made));
  judge("new multi_head", "no place for it", rvattn_multi_head_new(2, DIM, 0.0, NULL));
  for (size_t i = 0; i < sizeof dropouts / sizeof *dropouts; i++) {
    snprintf(fault, sizeof fault, "dropout %g", dropouts[i]);
    judge("new multi_head", fault, rvattn_multi_head_new(2, DIM, dropouts[i], &made));
  }
  judge("new hyperbolic", "no place for it", rvattn_hyperbolic_new(1.0, NULL));
  for (size_t i = 0; i < sizeof curvatures / sizeof *curvatures; i++) {
    double distance = 0;
    fill(q, DIM);
    snprintf(fault, sizeof fault, "curvature %g", curvatures[i]);
    judge("new hyperbolic", fault, rvattn_hyperbolic_new(curvatures[i], &made));
    judge("poincare_distance", fault, rvattn_poincare_distance(q, DIM, q, DIM, curvatures[i], &distance));
    judge("to_poincare", fault, rvattn_to_poincare(q, DIM, curvatures[i], out, DIM));
    judge("from_poincare", fault, rvattn_from_poincare(q, DIM, curvatures[i], out, DIM));
    judge("project_to_ball", fault, rvattn_project_to_ball(q, DIM, curvatures[i], out, DIM));
  }
}

typedef rvattn_status (*map)(const float *, size_t, double, float *, size_t);

static void map_faults(const char *name, map f, int inside) {
  fill(q, DIM);
  judge(name, "no point", f(NULL, DIM, 1.0, out, DIM));
  judge(name, "no result", f(q, DIM, 1.0, NULL, DIM));
  judge(name, "point not aligned", f((const float *)((const char *)q + 1), DIM, 1.0, out, DIM));
  judge(name, "result not aligned", f(q, DIM, 1.0, (float *)((char *)out + 1), DIM));
  judge(name, "point of length 0", f(q, 0, 1.0, out, 0));
  judge(name, "point of SIZE_MAX", f(q, SIZE_MAX, 1.0, out, DIM));
  judge(name, "result too short", f(q, DIM, 1.0, out, DIM - 1));
  judge(name, "result too long", f(q, DIM, 1.0, out, DIM + 1));
  q[0] = NAN;
  judge(name, "NaN", f(q, DIM, 1.0, out, DIM));
  q[0] = INFINITY;
  judge(name, "infinity", f(q, DIM, 1.0, out, DIM));
  q[0] = 2.0f;
  if (inside) judge(name, "a point outside the ball", f(q, DIM, 1.0, out, DIM));
}

static void distance_faults(void) {
  double d = 0;
  const char *name = "poincare_distance";
  fill(q, DIM), fill(k, DIM);
  judge(name, "no x", rvattn_poincare_distance(NULL, DIM, k, DIM, 1.0, &d));
  judge(name, "no y", rvattn_poincare_distance(q, DIM, NULL, DIM, 1.0, &d));
  judge(name, "no result", rvattn_poincare_distance(q, DIM, k, DIM, 1.0, NULL));
  judge(name, "x of another length", rvattn_poincare_distance(q, DIM - 1, k, DIM, 1.0, &d));
  judge(name, "y of another length", rvattn_poincare_distance(q, DIM, k, DIM - 1, 1.0, &d));
  judge(name, "x and y of length 0", rvattn_poincare_distance(q, 0, k, 0, 1.0, &d));
  judge(name, "x of SIZE_MAX", rvattn_poincare_distance(q, SIZE_MAX, k, DIM, 1.0, &d));
  judge(name, "y of SIZE_MAX", rvattn_poincare_distance(q, DIM, k, SIZE_MAX, 1.0, &d));
  judge(name, "x not aligned", rvattn_poincare_distance((const float *)((const char *)q + 1), DIM, k, DIM, 1.0, &d));
  q[0] = NAN;
  judge(name, "NaN in x", rvattn_poincare_distance(q, DIM, k, DIM, 1.0, &d));
  judge(name, "NaN in y", rvattn_poincare_distance(k, DIM, q, DIM, 1.0, &d));
  q[0] = 1.0f;
  judge(name, "x outside the ball", rvattn_poincare_distance(q, DIM, k, DIM, 1.0, &d));
  judge(name, "y outside the ball", rvattn_poincare_distance(k, DIM, q, DIM, 1.0, &d));
}

/* A cache and a state that are in order, and their faults. */
static void kept_faults(const rvattn_attention *attention) {
  rvattn_cache *cache = NULL, *empty = NULL, *other = NULL, *none = NULL;
  rvattn_state *state = NULL, *narrow = NULL, *made = NULL;
  rvattn_attention *three = NULL;
  uint8_t bytes[4096];
  size_t length = 0;
  fill(q, DIM), fill(k, SIZE), fill(v, SIZE);
  int fine = rvattn_cache_new(DIM, DIM, 0, &cache) == RVATTN_OK && rvattn_cache_new(DIM, DIM, 0, &empty) == RVATTN_OK &&
             rvattn_cache_new(3, 3, 0, &other) == RVATTN_OK && rvattn_cache_append(cache, k, SIZE, v, SIZE) == RVATTN_OK &&
             rvattn_cache_append(other, k, 6, v, 6) == RVATTN_OK &&
             rvattn_state_new(attention, q, DIM, DIM, DIM, NULL, &state) == RVATTN_OK &&
             rvattn_state_push(state, k, SIZE, v, SIZE, NULL, 0) == RVATTN_OK &&
             rvattn_scaled_dot_product_new(3, &three) == RVATTN_OK &&
             rvattn_state_new(three, q, 3, 3, 3, NULL, &narrow) == RVATTN_OK &&
             rvattn_state_to_bytes(state, bytes, sizeof bytes, &length) == RVATTN_OK &&
             rvattn_forward_cache(attention, q, DIM, cache, NULL, out, DIM) == RVATTN_OK;
  if (!fine) wrong++, fprintf(stderr, "caches and states with good arguments: %s\n", rvattn_last_error_message());
  judge("new cache", "dim 0", rvattn_cache_new(0, DIM, 0, &none));
  judge("new cache", "value dim 0", rvattn_cache_new(DIM, 0, 0, &none));
  judge("new cache", "another precision", rvattn_cache_new(DIM, DIM, 77, &none));
  judge("new cache", "no place for it", rvattn_cache_new(DIM, DIM, 0, NULL));
  judge("append", "no cache", rvattn_cache_append(NULL, k, SIZE, v, SIZE));
  judge("append", "no keys", rvattn_cache_append(cache, NULL, SIZE, v, SIZE));
  judge("append", "no values", rvattn_cache_append(cache, k, SIZE, NULL, SIZE));
  judge("append", "keys too short", rvattn_cache_append(cache, k, SIZE - 1, v, SIZE));
  judge("append", "values too short", rvattn_cache_append(cache, k, SIZE, v, SIZE - 1));
  judge("append", "keys of SIZE_MAX", rvattn_cache_append(cache, k, SIZE_MAX, v, SIZE));
  judge("append", "values of SIZE_MAX", rvattn_cache_append(cache, k, SIZE, v, SIZE_MAX));
  judge("append", "keys not aligned", rvattn_cache_append(cache, (const float *)((const char *)k + 1), SIZE, v, SIZE));
  judge("reserve", "SIZE_MAX", rvattn_cache_reserve(cache, SIZE_MAX));
  judge("reserve", "no cache", rvattn_cache_reserve(NULL, 1));
  judge("truncate", "no cache", rvattn_cache_truncate(NULL, 1));
  judge("forward_cache", "no cache", rvattn_forward_cache(attention, q, DIM, NULL, NULL, out, DIM));
  judge("forward_cache", "an empty cache", rvattn_forward_cache(attention, q, DIM, empty, NULL, out, DIM));
  judge("forward_cache", "a cache of another length", rvattn_forward_cache(attention, q, DIM, other, NULL, out, DIM));
  judge("forward_cache", "no attention", rvattn_forward_cache(NULL, q, DIM, cache, NULL, out, DIM));
  judge("forward_cache", "no queries", rvattn_forward_cache(attention, NULL, DIM, cache, NULL, out, DIM));
  judge("forward_cache", "no result", rvattn_forward_cache(attention, q, DIM, cache, NULL, NULL, DIM));
  judge("forward_cache", "result too short", rvattn_forward_cache(attention, q, DIM, cache, NULL, out, DIM - 1));
  judge("new state", "no attention", rvattn_state_new(NULL, q, DIM, DIM, DIM, NULL, &made));
  judge("new state", "no queries", rvattn_state_new(attention, NULL, DIM, DIM, DIM, NULL, &made));
  judge("new state", "dim 0", rvattn_state_new(attention, q, DIM, 0, DIM, NULL, &made));
  judge("new state", "value dim 0", rvattn_state_new(attention, q, DIM, DIM, 0, NULL, &made));
  judge("new state", "queries of length 0", rvattn_state_new(attention, q, 0, DIM, DIM, NULL, &made));
  judge("new state", "value dim SIZE_MAX", rvattn_state_new(attention, q, DIM, DIM, SIZE_MAX, NULL, &made));
  judge("new state", "no place for it", rvattn_state_new(attention, q, DIM, DIM, DIM, NULL, NULL));
  judge("push", "no state", rvattn_state_push(NULL, k, SIZE, v, SIZE, NULL, 0));
  judge("push", "no keys", rvattn_state_push(state, NULL, SIZE, v, SIZE, NULL, 0));
  judge("push", "keys too short", rvattn_state_push(state, k, SIZE - 1, v, SIZE, NULL, 0));
  judge("push", "values too short", rvattn_state_push(state, k, SIZE, v, SIZE - 1, NULL, 0));
  judge("push", "a mask too short", rvattn_state_push(state, k, SIZE, v, SIZE, mask, KEYS - 1));
  judge("merge", "no state", rvattn_state_merge(NULL, state));
  judge("merge", "no other", rvattn_state_merge(state, NULL));
  judge("merge", "another width", rvattn_state_merge(state, narrow));
  judge("finish", "no state", rvattn_state_finish(NULL, out, DIM));
  judge("finish", "no result", rvattn_state_finish(state, NULL, DIM));
  judge("finish", "result too short", rvattn_state_finish(state, out, DIM - 1));
  judge("finish", "nothing pushed", rvattn_state_finish(narrow, out, 3));
  judge("to_bytes", "no state", rvattn_state_to_bytes(NULL, bytes, sizeof bytes, &length));
  judge("to_bytes", "buffer too short", rvattn_state_to_bytes(state, bytes, 8, &length));
  judge("from_bytes", "no bytes", rvattn_state_from_bytes(NULL, 64, &made));
  judge("from_bytes", "nothing", rvattn_state_from_bytes(bytes, 0, &made));
  judge("from_bytes", "cut short", rvattn_state_from_bytes(bytes, length - 1, &made));
  judge("from_bytes", "no place for it", rvattn_state_from_bytes(bytes, length, NULL));
  memset(bytes, 0x5a, sizeof bytes);
  judge("from_bytes", "noise", rvattn_state_from_bytes(bytes, 200, &made));
  rvattn_cache_free(cache), rvattn_cache_free(empty), rvattn_cache_free(other), rvattn_cache_free(NULL);
  rvattn_state_free(state), rvattn_state_free(narrow), rvattn_state_free(NULL);
  rvattn_attention_free(three);
}

static rvattn_status all_forward_faults(void) {
  rvattn_attention *a[6] = {NULL};
  static const char *const names[] = {"scaled_dot_product", "multi_head", "hyperbolic", "linear", "cross", "self"};
  rvattn_status status = RVATTN_OK;
  if (!status) status = rvattn_scaled_dot_product_new(DIM, &a[0]);
  if (!status) status = rvattn_multi_head_new(2, DIM, 0.0, &a[1]);
  if (!status) status = rvattn_hyperbolic_new(1.0, &a[2]);
  if (!status) status = rvattn_linear_new(DIM, &a[3]);
  if (!status) status = rvattn_cross_new(DIM, &a[4]);
  if (!status) status = rvattn_self_new(DIM, &a[5]);
  for (int i = 0; !status && i < 6; i++) {
    is_self = i == 5;
    forward_faults(names[i], a[i]);
  }
  if (!status) {
    call c = good(a[2]);
    q[0] = 1.0f;
    judge("hyperbolic", "a query outside the ball", run(&c));
    c = good(a[2]), k[SIZE - 1] = 1.5f;
    judge("hyperbolic", "a key outside the ball", run(&c));
    c = good(a[2]), v[SIZE - 1] = 1.5f;
    judge("hyperbolic", "a value outside the ball", run(&c));
    c = good(a[3]), c.options.has_neighbors = 1, c.options.neighbors = 1;
    judge("linear", "neighbours", run(&c));
    c = good(a[0]), c.q = k, c.q_len = SIZE, c.k_len = DIM, c.v_len = DIM, c.out_len = SIZE, c.options.causal = 1;
    judge("scaled_dot_product", "a query that sees no key", run(&c));
    kept_faults(a[0]);
    c = good(a[0]);
    if (run(&c) != RVATTN_OK || fabsf(out[0] - 0.1f) > 1e-6f) wrong++, fprintf(stderr, "a good call gives %g\n", out[0]);
  }
  for (int i = 0; i < 6; i++) rvattn_attention_free(a[i]);
  rvattn_attention_free(NULL);
  return status;
}

int main(void) {
  if (all_forward_faults() != RVATTN_OK) {
    fprintf(stderr, "nothing could be made: %s\n", rvattn_last_error_message());
    return 2;
  }
  parameters();
  map_faults("to_poincare", rvattn_to_poincare, 0);
  map_faults("from_poincare", rvattn_from_poincare, 1);
  map_faults("project_to_ball", rvattn_project_to_ball, 0);
  distance_faults();
  printf("{\"backend\": \"c\", \"faults\": %d, \"refused\": %d, \"wrong\": %d}\n", count, count - wrong, wrong);
  return wrong || count < 300;
}

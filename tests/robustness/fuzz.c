/* Random calls, good and bad, of the C interface: `fuzz SECONDS SEED`. Lengths never claim more memory than there is;
 * everything else may be wrong. A result has to be finite, an error has to be one with a message. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ruvector_attention.h"

enum { MOST = 4096, KEPT = 16 };

static uint64_t word;
static float q[MOST], k[MOST], v[MOST], out[MOST];
static uint8_t mask[MOST];
static rvattn_attention *attentions[KEPT];
static rvattn_state *states[KEPT];
static rvattn_cache *caches[KEPT];
static unsigned long long ok, refused, calls;

/* SplitMix64: the same calls for the same seed. */
static uint64_t next(void) {
  uint64_t z = (word += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static size_t below(size_t n) { return (size_t)(next() % n); }
static int chance(unsigned percent) { return below(100) < percent; }

static void fill(float *numbers, size_t length) {
  static const float scales[] = {0.05f, 0.3f, 0.3f, 1.0f, 100.0f, 1e30f};
  float scale = scales[below(6)];
  for (size_t i = 0; i < length; i++) numbers[i] = ((float)(next() >> 40) / 16777216.0f - 0.5f) * scale;
  if (length && chance(3)) numbers[below(length)] = chance(50) ? NAN : INFINITY;
}

static const float *maybe(const float *pointer) {
  if (chance(2)) return NULL;
  return chance(2) ? (const float *)((const char *)pointer + 1 + below(3)) : pointer;
}

/* A length near the right one, or one that no memory has. */
static size_t length_of(size_t right) {
  if (chance(2)) return SIZE_MAX - below(8);
  if (chance(3)) return right > 0 ? right - 1 : 0;
  return chance(2) ? 0 : right;
}

static void judge(rvattn_status status, size_t results) {
  calls++;
  if (status == RVATTN_OK) {
    ok++;
    for (size_t i = 0; i < results; i++) {
      if (!isfinite(out[i])) {
        fprintf(stderr, "call %llu: a result that is not finite\n", calls);
        exit(1);
      }
    }
    return;
  }
  refused++;
  const char *message = rvattn_last_error_message();
  if (status == RVATTN_ERROR_INTERNAL || !message || !*message) {
    fprintf(stderr, "call %llu: status %d, %s\n", calls, (int)status, message ? message : "no message");
    exit(1);
  }
}

static rvattn_options options(size_t keys) {
  rvattn_options o;
  memset(&o, 0, sizeof o);
  if (chance(30)) {
    for (size_t i = 0; i < keys; i++) mask[i] = (uint8_t)below(2);
    o.mask = chance(95) ? mask : NULL;
    o.mask_len = chance(95) ? keys : keys + 1;
  }
  o.has_neighbors = (uint8_t)chance(30);
  o.neighbors = below(keys + 2);
  o.causal = (uint8_t)chance(30);
  o.training = (uint8_t)chance(10);
  o.seed = next();
  return o;
}

static void make(void) {
  static const double curvatures[] = {1.0, 0.5, 2.0, 0.0, -1.0, 1e-30, 1e30};
  rvattn_attention **place = &attentions[below(KEPT)], *made = NULL;
  size_t dim = chance(5) ? (chance(50) ? 0 : SIZE_MAX) : 1 + below(16);
  rvattn_attention **given = chance(2) ? NULL : &made;
  rvattn_status status;
  switch (below(6)) {
    case 0: status = rvattn_scaled_dot_product_new(dim, given); break;
    case 1: status = rvattn_multi_head_new(1 + below(4), chance(80) ? 4 * (1 + below(4)) : dim, chance(90) ? 0.1 : 1.5, given); break;
    case 2: status = rvattn_hyperbolic_new(curvatures[below(7)], given); break;
    case 3: status = rvattn_linear_new(dim, given); break;
    case 4: status = rvattn_cross_new(dim, given); break;
    default: status = rvattn_self_new(dim, given); break;
  }
  judge(status, 0);
  if (status == RVATTN_OK) {
    rvattn_attention_free(*place);
    *place = made;
  }
}

/* A dimension that the attention has, mostly, and one of these arrays holds. */
static size_t dim_for(const rvattn_attention *attention) {
  size_t dim = attention ? rvattn_attention_dim(attention) : 0;
  return dim == 0 || dim > 64 || chance(3) ? 1 + below(16) : dim;
}

static void forward(void) {
  const rvattn_attention *attention = attentions[below(KEPT)];
  size_t dim = dim_for(attention), m = 1 + below(4), n = 1 + below(40), width = chance(50) ? dim : 1 + below(16);
  rvattn_options o = options(n);
  fill(q, m * dim), fill(k, n * dim), fill(v, n * width);
  rvattn_status status;
  if (chance(30)) {
    const rvattn_cache *cache = caches[below(KEPT)];
    size_t size = cache ? m * rvattn_cache_value_dim(cache) : m;
    if (size > MOST) return;
    status = rvattn_forward_cache(attention, maybe(q), length_of(m * dim), cache, chance(50) ? NULL : &o, chance(98) ? out : NULL,
                                  chance(97) ? size : size + 1);
    judge(status, size);
    return;
  }
  status = rvattn_forward(attention, maybe(q), length_of(m * dim), chance(97) ? dim : below(20), maybe(k), length_of(n * dim),
                          maybe(v), length_of(n * width), chance(50) ? NULL : &o, chance(98) ? out : NULL,
                          chance(97) ? m * width : m * width + 1);
  judge(status, m * width);
}

static void state(void) {
  rvattn_state **place = &states[below(KEPT)], *made = NULL;
  size_t dim, m = 1 + below(3), n = 1 + below(10), width;
  switch (below(6)) {
    case 0: {
      const rvattn_attention *attention = attentions[below(KEPT)];
      dim = dim_for(attention);
      fill(q, m * dim);
      rvattn_status status =
          rvattn_state_new(attention, maybe(q), length_of(m * dim), dim, chance(97) ? 1 + below(16) : 0, NULL, chance(98) ? &made : NULL);
      judge(status, 0);
      if (status == RVATTN_OK) rvattn_state_free(*place), *place = made;
      return;
    }
    case 1: judge(rvattn_state_merge(*place, states[below(KEPT)]), 0); return;
    case 2: {
      size_t size = *place ? rvattn_state_queries(*place) * rvattn_state_value_dim(*place) : 1;
      if (size <= MOST) judge(rvattn_state_finish(*place, chance(98) ? out : NULL, chance(95) ? size : size + 1), size);
      return;
    }
    case 3: {
      static uint8_t bytes[1 << 16];
      size_t length = 0;
      rvattn_status status = rvattn_state_to_bytes(*place, bytes, sizeof bytes, &length);
      judge(status, 0);
      if (status != RVATTN_OK || length > sizeof bytes) return;
      if (chance(60) && length) bytes[below(length)] ^= (uint8_t)(1u << below(8));
      status = rvattn_state_from_bytes(chance(98) ? bytes : NULL, chance(80) ? length : below(length + 1), &made);
      judge(status, 0);
      if (status == RVATTN_OK) rvattn_state_free(*place), *place = made;
      return;
    }
    default:
      dim = *place && chance(95) ? rvattn_state_dim(*place) : 1 + below(16);
      width = *place && chance(95) ? rvattn_state_value_dim(*place) : 1 + below(16);
      if (dim > 64 || width > 64) return;
      fill(k, n * dim), fill(v, n * width);
      judge(rvattn_state_push(*place, maybe(k), length_of(n * dim), maybe(v), length_of(n * width), NULL, 0), 0);
  }
}

static void cache(void) {
  rvattn_cache **place = &caches[below(KEPT)], *made = NULL;
  size_t n = below(20);
  if (!*place || chance(20)) {
    rvattn_status status = rvattn_cache_new(chance(95) ? 1 + below(16) : 0, chance(95) ? 1 + below(16) : SIZE_MAX,
                                            (uint32_t)below(4), chance(98) ? &made : NULL);
    judge(status, 0);
    if (status == RVATTN_OK) rvattn_cache_free(*place), *place = made;
    return;
  }
  size_t dim = rvattn_cache_dim(*place), width = rvattn_cache_value_dim(*place);
  if (dim > 64 || width > 64) return;
  if (rvattn_cache_len(*place) > 100) {
    judge(rvattn_cache_truncate(*place, below(50)), 0);
    return;
  }
  fill(k, n * dim), fill(v, n * width);
  judge(rvattn_cache_append(*place, maybe(k), length_of(n * dim), maybe(v), length_of(n * width)), 0);
}

static void point(void) {
  size_t dim = 1 + below(16);
  double c = chance(90) ? 0.1 + (double)below(20) / 10 : -1.0, distance = 0;
  fill(q, dim), fill(k, dim);
  switch (below(4)) {
    case 0: judge(rvattn_to_poincare(maybe(q), length_of(dim), c, out, dim), dim); break;
    case 1: judge(rvattn_from_poincare(maybe(q), length_of(dim), c, out, dim), dim); break;
    case 2: judge(rvattn_project_to_ball(maybe(q), length_of(dim), c, out, dim), dim); break;
    default: judge(rvattn_poincare_distance(maybe(q), length_of(dim), maybe(k), length_of(dim), c, &distance), 0);
  }
}

static void release(void) {
  size_t i = below(KEPT);
  switch (below(3)) {
    case 0: rvattn_attention_free(attentions[i]), attentions[i] = NULL; break;
    case 1: rvattn_state_free(states[i]), states[i] = NULL; break;
    default: rvattn_cache_free(caches[i]), caches[i] = NULL;
  }
}

int main(int argc, char **argv) {
  double seconds = argc > 1 ? atof(argv[1]) : 10;
  unsigned long long seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
  time_t end = time(NULL) + (time_t)seconds;
  word = seed;
  while (time(NULL) < end) {
    for (int i = 0; i < 200; i++) {
      size_t what = below(20);
      if (what < 10) forward();
      else if (what < 13) state();
      else if (what < 16) cache();
      else if (what < 18) point();
      else if (what < 19) make();
      else if (chance(30)) release();
    }
  }
  for (size_t i = 0; i < KEPT; i++) rvattn_attention_free(attentions[i]), rvattn_state_free(states[i]), rvattn_cache_free(caches[i]);
  printf("{\"backend\": \"c\", \"seed\": %llu, \"seconds\": %.0f, \"calls\": %llu, \"ok\": %llu, \"refused\": %llu}\n", seed, seconds,
         calls, ok, refused);
  return ok && refused ? 0 : 1;
}

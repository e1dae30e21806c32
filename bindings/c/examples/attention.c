/* A tour of the C interface: attention with options, a cache, states that merge, and errors.
 *
 * cc attention.c -o attention $(pkg-config --cflags --libs ruvector-attention)
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ruvector_attention.h>

enum { DIM = 4, KEYS = 6, VALUE_DIM = 2 };

/* Ends the program where a call failed that should not have. */
static void check(rvattn_status status) {
  if (status == RVATTN_OK) return;
  fprintf(stderr, "%s: %s\n", rvattn_status_name(status), rvattn_last_error_message());
  exit(1);
}

static void expect(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "not as expected: %s\n", what);
  exit(1);
}

static void fill(float *numbers, size_t count, float step) {
  for (size_t i = 0; i < count; i++) numbers[i] = 0.1f * (float)((i * 7) % 11) - step;
}

int main(void) {
  float query[DIM], keys[KEYS * DIM], values[KEYS * VALUE_DIM], result[VALUE_DIM], again[VALUE_DIM];
  fill(query, DIM, 0.2f), fill(keys, KEYS * DIM, 0.5f), fill(values, KEYS * VALUE_DIM, 0.0f);

  /* An attention from a description; what stays zero is the default. */
  rvattn_config config = {0};
  config.type = "multi-head";
  config.dim = DIM;
  config.num_heads = 2;
  rvattn_attention *attention = NULL;
  check(rvattn_attention_new(&config, &attention));
  check(rvattn_forward(attention, query, DIM, DIM, keys, KEYS * DIM, values, KEYS * VALUE_DIM, NULL, result, VALUE_DIM));
  printf("%s over %d keys: %g %g\n", rvattn_attention_kind(attention), KEYS, (double)result[0], (double)result[1]);

  /* Options: only the keys of the mask, and of these the two with the best scores. */
  uint8_t mask[KEYS] = {1, 1, 0, 1, 1, 0};
  rvattn_options options = {0};
  options.mask = mask, options.mask_len = KEYS;
  options.neighbors = 2, options.has_neighbors = 1;
  check(rvattn_forward(attention, query, DIM, DIM, keys, KEYS * DIM, values, KEYS * VALUE_DIM, &options, again,
                       VALUE_DIM));

  /* A cache holds keys and values that grow; the result is the same to the bit. */
  rvattn_cache *cache = NULL;
  check(rvattn_cache_new(DIM, VALUE_DIM, RVATTN_F32, &cache));
  for (int i = 0; i < KEYS; i++)
    check(rvattn_cache_append(cache, keys + i * DIM, DIM, values + i * VALUE_DIM, VALUE_DIM));
  check(rvattn_forward_cache(attention, query, DIM, cache, NULL, again, VALUE_DIM));
  expect(memcmp(result, again, sizeof result) == 0, "a cache stands for its keys and values");
  rvattn_cache_free(cache);

  /* States over two shards of the keys, one of which travels as bytes, merge into the whole. */
  rvattn_state *left = NULL, *right = NULL, *arrived = NULL;
  check(rvattn_state_new(attention, query, DIM, DIM, VALUE_DIM, NULL, &left));
  check(rvattn_state_new(attention, query, DIM, DIM, VALUE_DIM, NULL, &right));
  check(rvattn_state_push(left, keys, 2 * DIM, values, 2 * VALUE_DIM, NULL, 0));
  check(rvattn_state_push(right, keys + 2 * DIM, 4 * DIM, values + 2 * VALUE_DIM, 4 * VALUE_DIM, NULL, 0));
  size_t size = 0;
  check(rvattn_state_to_bytes(right, NULL, 0, &size));
  uint8_t *bytes = malloc(size);
  expect(bytes != NULL, "there is memory");
  check(rvattn_state_to_bytes(right, bytes, size, &size));
  check(rvattn_state_from_bytes(bytes, size, &arrived));
  check(rvattn_state_merge(left, arrived));
  check(rvattn_state_finish(left, again, VALUE_DIM));
  expect(fabsf(again[0] - result[0]) < 1e-6f && fabsf(again[1] - result[1]) < 1e-6f, "shards give the whole");
  printf("%zu keys in two shards, %zu bytes travelled\n", rvattn_state_len(left), size);
  free(bytes);
  rvattn_state_free(left), rvattn_state_free(right), rvattn_state_free(arrived);

  /* A refusal leaves a status, a message and the name of the argument. */
  rvattn_status status =
      rvattn_forward(attention, query, DIM, DIM, keys, KEYS * DIM - 1, values, KEYS * VALUE_DIM, NULL, result, VALUE_DIM);
  expect(status == RVATTN_ERROR_LENGTH, "a wrong length is refused");
  expect(strcmp(rvattn_last_error_argument(), "keys") == 0, "the argument has a name");
  printf("refused: %s\n", rvattn_last_error_message());
  rvattn_attention_free(attention);
  return 0;
}

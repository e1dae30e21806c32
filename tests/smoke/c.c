/* Reads the reference cases in their binary form (cases.py), computes each through the C interface and
 * writes for each a count (int32, negative: failed) and that many doubles. Usage: c CASES RESULTS */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "ruvector_attention.h"

enum { SCALED_DOT_PRODUCT, CROSS, SELF, MULTI_HEAD, HYPERBOLIC, LINEAR, DISTANCE, TO_BALL, FROM_BALL };

typedef struct {
  int32_t kind, m, n, d, dv, heads, neighbors, causal, mask_len;
  double curvature;
} header;

static int read_header(FILE *in, header *h) {
  int32_t words[9];
  if (fread(words, sizeof words[0], 9, in) != 9) return 0;
  h->kind = words[0], h->m = words[1], h->n = words[2], h->d = words[3], h->dv = words[4];
  h->heads = words[5], h->neighbors = words[6], h->causal = words[7], h->mask_len = words[8];
  return fread(&h->curvature, sizeof h->curvature, 1, in) == 1;
}

static void *read_array(FILE *in, size_t count, size_t size) {
  void *data = malloc(count * size + 1);
  if (!data || fread(data, size, count, in) != count) {
    fprintf(stderr, "the cases end too early\n");
    exit(2);
  }
  return data;
}

static rvattn_status make(const header *h, rvattn_attention **out) {
  switch (h->kind) {
    case SCALED_DOT_PRODUCT: return rvattn_scaled_dot_product_new((size_t)h->d, out);
    case CROSS: return rvattn_cross_new((size_t)h->d, out);
    case SELF: return rvattn_self_new((size_t)h->d, out);
    case MULTI_HEAD: return rvattn_multi_head_new((size_t)h->heads, (size_t)h->d, 0.0, out);
    case HYPERBOLIC: return rvattn_hyperbolic_new(h->curvature, out);
    default: return rvattn_linear_new((size_t)h->d, out);
  }
}

static rvattn_status attend(const header *h, const float *q, const float *k, const float *v, const uint8_t *mask,
                            float *out, size_t out_len) {
  rvattn_attention *attention = NULL;
  rvattn_options options = {0};
  rvattn_status status = make(h, &attention);
  if (status != RVATTN_OK) return status;
  if (h->mask_len) options.mask = mask, options.mask_len = (size_t)h->mask_len;
  options.has_neighbors = h->neighbors >= 0;
  options.neighbors = h->neighbors >= 0 ? (size_t)h->neighbors : 0;
  options.causal = (uint8_t)h->causal;
  status = rvattn_forward(attention, q, (size_t)h->m * (size_t)h->d, (size_t)h->d, k, (size_t)h->n * (size_t)h->d, v,
                          (size_t)h->n * (size_t)h->dv, &options, out, out_len);
  rvattn_attention_free(attention);
  return status;
}

static rvattn_status point(const header *h, const float *x, const float *y, double *distance, float *out) {
  size_t d = (size_t)h->d;
  if (h->kind == DISTANCE) return rvattn_poincare_distance(x, d, y, d, h->curvature, distance);
  if (h->kind == TO_BALL) return rvattn_to_poincare(x, d, h->curvature, out, d);
  return rvattn_from_poincare(x, d, h->curvature, out, d);
}

static void write_result(FILE *out, rvattn_status status, const float *data, int32_t count) {
  if (status != RVATTN_OK) {
    fprintf(stderr, "%s (argument %s)\n", rvattn_last_error_message(), rvattn_last_error_argument());
    count = -1;
  }
  fwrite(&count, sizeof count, 1, out);
  for (int32_t i = 0; i < count; i++) {
    double number = (double)data[i];
    fwrite(&number, sizeof number, 1, out);
  }
}

static void run(FILE *in, FILE *out, const header *h) {
  float *q = read_array(in, (size_t)h->m * (size_t)h->d, sizeof(float));
  float *k = read_array(in, (size_t)h->n * (size_t)h->d, sizeof(float));
  float *v = read_array(in, (size_t)h->n * (size_t)h->dv, sizeof(float));
  uint8_t *mask = read_array(in, (size_t)h->mask_len, 1);
  int32_t count = h->m * (h->kind < DISTANCE ? h->dv : h->d);
  float *result = calloc((size_t)count + 1, sizeof *result);
  if (!result) exit(2);
  if (h->kind == DISTANCE) {
    double distance = 0;
    int32_t one = point(h, q, k, &distance, NULL) == RVATTN_OK ? 1 : -1;
    fwrite(&one, sizeof one, 1, out);
    if (one == 1) fwrite(&distance, sizeof distance, 1, out);
  } else if (h->kind < DISTANCE) {
    write_result(out, attend(h, q, k, v, mask, result, (size_t)count), result, count);
  } else {
    write_result(out, point(h, q, k, NULL, result), result, count);
  }
  free(q), free(k), free(v), free(mask), free(result);
}

int main(int argc, char **argv) {
  header h;
  FILE *in = argc == 3 ? fopen(argv[1], "rb") : NULL;
  FILE *out = argc == 3 ? fopen(argv[2], "wb") : NULL;
  if (!in || !out) {
    fprintf(stderr, "usage: c CASES RESULTS\n");
    return 2;
  }
  fprintf(stderr, "version %s, %zu features\n", rvattn_version(), rvattn_feature_count());
  while (read_header(in, &h)) run(in, out, &h);
  fclose(in);
  return fclose(out) == 0 ? 0 : 2;
}

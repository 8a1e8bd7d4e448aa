/* One pass over the output of a modulated convolution, for bfloat16 tensors in NHWC order.
 *
 *   pre = d[n,c] * y + b[c]         demodulation (already times sqrt 2) and bias (likewise)
 *   x   = leaky_relu(pre, 0.2)      the feature map
 *   xs  = s[n,c] * x                the input of the next convolution, modulated by its style
 *   rgb = sum_c r[n,k,c] * x        the modulated 1x1 toRGB
 *
 * With up = 1 the convolution computed the four phases of a x2 up-convolution: y is [n, h, w, 4c] with the phase
 * (row, column) outermost in the channels, x and the rest are [n, 2h, 2w, c]. Any output but the first may be absent.
 * The backward pass recomputes x from y, so only y is kept. Parallel over n.
 */
#include <stdint.h>
#include <string.h>

typedef uint16_t bf;

static inline float load(bf v) {
    uint32_t u = (uint32_t)v << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

static inline bf store(float f) {
    uint32_t u;
    memcpy(&u, &f, 4);
    u += 0x7fff + ((u >> 16) & 1);
    return (bf)(u >> 16);
}

static inline long source(long i, int up, long w, long c) {
    /* offset in y of output pixel i (row-major in the output of width w) */
    if (!up) return i * c;
    long row = i / w, col = i % w, half = w / 2;
    return ((row / 2) * half + col / 2) * 4 * c + ((row & 1) * 2 + (col & 1)) * c;
}

void act_forward(long n, long h, long w, long c, int up, const bf *y, const float *d, const float *b, const float *s,
                 const float *r, bf *x, bf *xs, float *rgb) {
#pragma omp parallel for schedule(static)
    for (long k = 0; k < n; k++) {
        const float *dn = d + k * c, *sn = s ? s + k * c : 0, *rn = r ? r + k * 3 * c : 0;
        for (long i = 0; i < h * w; i++) {
            const bf *restrict yp = y + k * h * w * c + source(i, up, w, c);
            float v[512];
            for (long j = 0; j < c; j++) {
                float p = load(yp[j]) * dn[j] + b[j];
                v[j] = p > 0 ? p : 0.2f * p;
            }
            long o = (k * h * w + i) * c;
            if (x) {
                bf *restrict xp = x + o;
                for (long j = 0; j < c; j++) xp[j] = store(v[j]);
            }
            if (xs) {
                bf *restrict xp = xs + o;
                for (long j = 0; j < c; j++) xp[j] = store(v[j] * sn[j]);
            }
            if (rgb) {
                float a0 = 0, a1 = 0, a2 = 0;
                for (long j = 0; j < c; j++) {
                    a0 += v[j] * rn[j];
                    a1 += v[j] * rn[c + j];
                    a2 += v[j] * rn[2 * c + j];
                }
                float *q = rgb + (k * h * w + i) * 3;
                q[0] = a0, q[1] = a1, q[2] = a2;
            }
        }
    }
}

/* gd [n,c], gb [n,c] (to be summed over n), gs [n,c], gr [n,3,c] must be zero on entry. */
void act_backward(long n, long h, long w, long c, int up, const bf *y, const float *d, const float *b, const float *s,
                  const float *r, const bf *gx, const bf *gxs, const float *grgb, bf *gy, float *gd, float *gb,
                  float *gs, float *gr) {
#pragma omp parallel for schedule(static)
    for (long k = 0; k < n; k++) {
        const float *dn = d + k * c, *sn = s ? s + k * c : 0, *rn = r ? r + k * 3 * c : 0;
        float ad[512] = {0}, ab[512] = {0}, as[512] = {0}, a0[512] = {0}, a1[512] = {0}, a2[512] = {0};
        for (long i = 0; i < h * w; i++) {
            long from = k * h * w * c + source(i, up, w, c), o = (k * h * w + i) * c;
            const bf *restrict yp = y + from;
            bf *restrict gp = gy + from;
            float v[512], x[512], g[512];
            for (long j = 0; j < c; j++) {
                v[j] = load(yp[j]) * dn[j] + b[j];
                x[j] = v[j] > 0 ? v[j] : 0.2f * v[j];
                g[j] = 0;
            }
            if (gx) {
                const bf *restrict q = gx + o;
                for (long j = 0; j < c; j++) g[j] += load(q[j]);
            }
            if (gxs) {
                const bf *restrict q = gxs + o;
                for (long j = 0; j < c; j++) {
                    float t = load(q[j]);
                    g[j] += t * sn[j];
                    as[j] += t * x[j];
                }
            }
            if (grgb) {
                const float *q = grgb + (k * h * w + i) * 3;
                float q0 = q[0], q1 = q[1], q2 = q[2];
                for (long j = 0; j < c; j++) {
                    g[j] += q0 * rn[j] + q1 * rn[c + j] + q2 * rn[2 * c + j];
                    a0[j] += q0 * x[j];
                    a1[j] += q1 * x[j];
                    a2[j] += q2 * x[j];
                }
            }
            for (long j = 0; j < c; j++) {
                float t = v[j] > 0 ? g[j] : 0.2f * g[j];
                ab[j] += t;
                ad[j] += t * load(yp[j]);
                gp[j] = store(t * dn[j]);
            }
        }
        memcpy(gd + k * c, ad, c * 4);
        memcpy(gb + k * c, ab, c * 4);
        if (gs) memcpy(gs + k * c, as, c * 4);
        if (gr) {
            memcpy(gr + k * 3 * c, a0, c * 4);
            memcpy(gr + k * 3 * c + c, a1, c * 4);
            memcpy(gr + k * 3 * c + 2 * c, a2, c * 4);
        }
    }
}

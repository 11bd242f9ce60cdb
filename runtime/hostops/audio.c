/* Audio front ends: DecodeWav, EncodeWav, AudioSpectrogram, Mfcc; and the greedy CTC decoder at their other end. */
#include "hostops/fft.h"
#include "hostops/text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

static uint32_t little_endian(const char *p, int n) {
    uint32_t v = 0;
    for (int i = 0; i < n; i++) v |= (uint32_t)(uint8_t)p[i] << (8 * i);
    return v;
}

int32_t tfopt_host_decode_wav(TfoptHostCall *call) {
    if (tfopt_elements(&call->inputs[0]) != 1) return tfopt_invalid(call, "contents must be a scalar");
    const TfoptString s = ((const TfoptString *)call->inputs[0].data)[0];
    if (s.size < 12 || memcmp(s.data, "RIFF", 4) != 0 || memcmp(s.data + 8, "WAVE", 4) != 0)
        return tfopt_invalid(call, "Header mismatch: Expected RIFF and WAVE");
    int64_t channels = 0, samples = -1;
    uint32_t rate = 0;
    const char *data = NULL;
    for (uint64_t at = 12; s.size - at >= 8 && !data;) {
        const uint64_t size = little_endian(s.data + at + 4, 4), left = s.size - at - 8;
        const char *body = s.data + at + 8;
        if (memcmp(s.data + at, "fmt ", 4) == 0 && size >= 16 && left >= 16) {
            channels = little_endian(body + 2, 2);
            rate = little_endian(body + 4, 4);
            if (little_endian(body, 2) != 1 || little_endian(body + 14, 2) != 16 || channels < 1)
                return tfopt_invalid(call, "Bad audio format for WAV: Expected 16-bit PCM");
        } else if (memcmp(s.data + at, "data", 4) == 0 && channels > 0) {
            data = body;
            samples = (int64_t)((size < left ? size : left) / 2) / channels;
        }
        if (size > left) break;
        at += 8 + size + size % 2;
        if (at > s.size) break;
    }
    if (!data) return tfopt_invalid(call, "No data chunk found in WAV");
    const int64_t want_channels = tfopt_call_int(call, "desired_channels", -1),
                  want_samples = tfopt_call_int(call, "desired_samples", -1);
    const int64_t dims[2] = {want_samples < 0 ? samples : want_samples, want_channels < 0 ? channels : want_channels};
    float *out = tfopt_host_output(call, 0, 2, dims);
    int32_t *out_rate = tfopt_output_scalar(call, 1);
    if (!out || !out_rate) return tfopt_no_memory(call);
    for (int64_t i = 0; i < dims[0]; i++) {
        for (int64_t c = 0; c < dims[1]; c++) { /* missing samples are silent, missing channels repeat the last */
            const int64_t from = c < channels ? c : channels - 1;
            *out++ = i < samples ? (float)(int16_t)little_endian(data + 2 * (i * channels + from), 2) / 32768.0f : 0;
        }
    }
    *out_rate = (int32_t)rate;
    return TFOPT_OK;
}

static void add_little_endian(TfoptText *t, uint32_t v, int n) {
    for (int i = 0; i < n; i++) tfopt_text_char(t, (char)(v >> (8 * i) & 0xff));
}

/* (audio [samples, channels], sample_rate): 16-bit PCM */
int32_t tfopt_host_encode_wav(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    if (t->rank != 2 || t->dtype != TFOPT_F32) return tfopt_invalid(call, "audio must be 2-dimensional float32");
    if (tfopt_elements(&call->inputs[1]) != 1) return tfopt_invalid(call, "sample_rate must be a scalar");
    const int64_t rate = tfopt_int_at(&call->inputs[1], 0), samples = t->dims[0], channels = t->dims[1];
    if (rate <= 0) return tfopt_invalid(call, "sample_rate must be positive");
    if (channels < 1 || channels > UINT16_MAX) return tfopt_invalid(call, "channels must be in [1, 65535]");
    if (samples < 1 || samples > (UINT32_MAX - 36) / (2 * channels) || rate * channels > UINT32_MAX / 2)
        return tfopt_invalid(call, "audio is empty or too long for a WAV file");
    const uint32_t bytes = (uint32_t)(samples * channels * 2);
    TfoptString *out = tfopt_output_scalar(call, 0);
    if (!out) return tfopt_no_memory(call);
    TfoptText text = {.call = call};
    tfopt_text_add(&text, "RIFF", 4);
    add_little_endian(&text, bytes + 36, 4);
    tfopt_text_add(&text, "WAVEfmt ", 8);
    add_little_endian(&text, 16, 4);
    add_little_endian(&text, 1, 2);
    add_little_endian(&text, (uint32_t)channels, 2);
    add_little_endian(&text, (uint32_t)rate, 4);
    add_little_endian(&text, (uint32_t)(rate * channels * 2), 4);
    add_little_endian(&text, (uint32_t)(channels * 2), 2);
    add_little_endian(&text, 16, 2);
    tfopt_text_add(&text, "data", 4);
    add_little_endian(&text, bytes, 4);
    for (int64_t i = 0; i < samples * channels; i++) {
        const float v = roundf(((const float *)t->data)[i] * 32768.0f);
        add_little_endian(&text, (uint32_t)(int32_t)fminf(fmaxf(v, -32768.0f), 32767.0f), 2);
    }
    if (text.failed) return tfopt_no_memory(call);
    *out = tfopt_text_take(&text);
    return TFOPT_OK;
}

static void axis_free(void *state) {
    tfopt_fft_axis_end(state);
    free(state);
}

/* input [samples, channels] -> [channels, frames, bins] */
int32_t tfopt_host_audio_spectrogram(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    const int64_t window = tfopt_call_int(call, "window_size", 0), stride = tfopt_call_int(call, "stride", 0);
    const bool squared = tfopt_call_int(call, "magnitude_squared", 0) != 0;
    if (t->rank != 2 || window < 2 || stride < 1 || window > INT64_C(1) << 30)
        return tfopt_invalid(call, "input must be [samples, channels], window_size at least 2, stride at least 1");
    int64_t n = 1;
    while (n < window) n *= 2;
    const int64_t samples = t->dims[0], channels = t->dims[1],
                  frames = samples < window ? 0 : 1 + (samples - window) / stride, bins = n / 2 + 1,
                  dims[3] = {channels, frames, bins};
    float *out = tfopt_host_output(call, 0, 3, dims);
    if (!*call->state) {
        *call->state = calloc(1, sizeof(TfoptFftAxis));
        *call->free_state = axis_free;
    }
    TfoptFftAxis *axis = *call->state;
    double *hann = tfopt_call_alloc(call, window, sizeof *hann);
    if (!out || !hann || !axis || !tfopt_fft_axis_plan(axis, n, true)) return tfopt_no_memory(call);
    const int64_t most = n < 1 << 15 ? 8 : 1; /* frames that are transformed at once */
    double *re = tfopt_call_alloc(call, most * (n + 2 + tfopt_fft_work(axis->plan)), sizeof *re);
    if (!re) return tfopt_no_memory(call);
    for (int64_t i = 0; i < window; i++) hann[i] = 0.5 - 0.5 * cos(2 * PI * (double)i / (double)window);
    for (int64_t first = 0; first < channels * frames; first += most) {
        const int64_t lanes = channels * frames - first < most ? channels * frames - first : most;
        double *im = re + (n / 2 + 1) * lanes, *parts[2] = {re, im};
        memset(re, 0, (size_t)((n + 2) * lanes) * sizeof *re);
        for (int64_t l = 0; l < lanes; l++) {
            const int64_t c = (first + l) / frames, f = (first + l) % frames;
            for (int64_t i = 0; i < window; i++)
                parts[i % 2][i / 2 * lanes + l] = tfopt_real_at(t, (f * stride + i) * channels + c) * hann[i];
        }
        tfopt_fft_lines(axis->plan, lanes, re, im, im + (n / 2 + 1) * lanes);
        tfopt_fft_split(axis, lanes, re, im);
        for (int64_t l = 0; l < lanes; l++) {
            for (int64_t k = 0; k < bins; k++) {
                const double a = re[k * lanes + l], b = im[k * lanes + l], power = a * a + b * b;
                *out++ = (float)(squared ? power : sqrt(power));
            }
        }
    }
    return TFOPT_OK;
}

static double to_mel(double frequency) {
    return 1127.0 * log1p(frequency / 700.0);
}

/* (spectrogram [channels, frames, bins], sample_rate) */
int32_t tfopt_host_mfcc(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    const int64_t bands = tfopt_call_int(call, "filterbank_channel_count", 40),
                  coefficients = tfopt_call_int(call, "dct_coefficient_count", 13);
    const double low = tfopt_call_float(call, "lower_frequency_limit", 20),
                 high = tfopt_call_float(call, "upper_frequency_limit", 4000),
                 rate = tfopt_real_at(&call->inputs[1], 0);
    if (t->rank != 3 || t->dims[2] < 2 || bands < 1 || bands > 100000 || coefficients < 1 || coefficients > bands ||
        !(rate > 0) || !(low >= 0) || !(high > low))
        return tfopt_invalid(call, "spectrogram or limits out of range");
    const int64_t bins = t->dims[2], dims[3] = {t->dims[0], t->dims[1], coefficients};
    const double mel_low = to_mel(low), spacing = (to_mel(high) - mel_low) / (double)(bands + 1),
                 hz = 0.5 * rate / (double)(bins - 1);
    const double first_bin = 1.5 + low / hz, last_bin = high / hz;
    if (last_bin >= (double)bins) return tfopt_invalid(call, "upper_frequency_limit is over half the sample rate");
    const int64_t start = (int64_t)first_bin, end = (int64_t)last_bin;
    int64_t *band = tfopt_call_alloc(call, bins, sizeof *band);
    double *weight = tfopt_call_alloc(call, bins, sizeof *weight), *sum = tfopt_call_alloc(call, bands, sizeof *sum),
           *cosine = tfopt_call_alloc(call, coefficients * bands, sizeof *cosine);
    if (!tfopt_host_output(call, 0, 3, dims) || !band || !weight || !sum || !cosine) return tfopt_no_memory(call);
    for (int64_t i = 0; i < coefficients * bands; i++)
        cosine[i] =
            sqrt(2.0 / (double)bands) * cos((double)(i / bands) * PI / (double)bands * ((double)(i % bands) + 0.5));
    for (int64_t i = start, k = 0; i <= end && i < bins; i++) {
        const double mel = to_mel((double)i * hz);
        while (k < bands && mel_low + spacing * (double)(k + 1) < mel) k++;
        band[i] = k - 1;
        weight[i] = (mel_low + spacing * (double)(k + 1) - mel) / spacing;
    }
    for (int64_t frame = 0; frame < dims[0] * dims[1]; frame++) {
        for (int64_t k = 0; k < bands; k++) sum[k] = 0;
        for (int64_t i = start; i <= end && i < bins; i++) {
            const double v = sqrt(tfopt_real_at(t, frame * bins + i)), part = v * weight[i];
            if (band[i] >= 0) sum[band[i]] += part;
            if (band[i] + 1 < bands) sum[band[i] + 1] += v - part;
        }
        for (int64_t k = 0; k < bands; k++) sum[k] = log(fmax(sum[k], 1e-12));
        for (int64_t c = 0; c < coefficients; c++) {
            double v = 0;
            for (int64_t k = 0; k < bands; k++) v += cosine[c * bands + k] * sum[k];
            tfopt_set_real(&call->outputs[0], frame * coefficients + c, v);
        }
    }
    return TFOPT_OK;
}

/* (inputs [time, batch, classes], sequence_length) -> indices, values, shape of the sparse labels, -log probability
 * [batch, 1] */
int32_t tfopt_host_ctc_greedy_decoder(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0], *lengths = &call->inputs[1];
    if (t->rank != 3 || t->dims[2] < 1 || tfopt_elements(lengths) != t->dims[1])
        return tfopt_invalid(call, "inputs must be [time, batch, classes] and sequence_length [batch]");
    const int64_t steps = t->dims[0], batch = t->dims[1], classes = t->dims[2];
    const bool merge = tfopt_call_int(call, "merge_repeated", 0) != 0;
    int64_t blank = tfopt_call_int(call, "blank_index", -1), n = 0, longest = 0;
    if (blank < 0) blank += classes;
    int64_t *labels = tfopt_call_alloc(call, steps * batch + 1, sizeof *labels),
            *counts = tfopt_call_zeroed(call, batch + 1, sizeof *counts);
    const int64_t score_dims[2] = {batch, 1};
    if (!labels || !counts || !tfopt_host_output(call, 3, 2, score_dims)) return tfopt_no_memory(call);
    for (int64_t b = 0; b < batch; b++) {
        const int64_t length = tfopt_int_at(lengths, b);
        double score = 0;
        int64_t previous = -1;
        if (length < 0 || length > steps) return tfopt_invalid(call, "sequence_length is out of range");
        for (int64_t s = 0; s < length; s++) {
            const int64_t row = (s * batch + b) * classes;
            int64_t best = 0;
            for (int64_t k = 1; k < classes; k++) {
                if (tfopt_real_at(t, row + k) > tfopt_real_at(t, row + best)) best = k;
            }
            score -= tfopt_real_at(t, row + best);
            if (best != blank && !(merge && best == previous)) {
                labels[n++] = best;
                counts[b]++;
            }
            previous = best;
        }
        if (counts[b] > longest) longest = counts[b];
        tfopt_set_real(&call->outputs[3], b, score);
    }
    const int64_t dims[2] = {n, 2};
    int64_t *indices = tfopt_host_output(call, 0, 2, dims), *values = tfopt_output_1d(call, 1, n),
            *shape = tfopt_output_1d(call, 2, 2);
    if (!indices || !values || !shape) return tfopt_no_memory(call);
    for (int64_t b = 0; b < batch; b++) {
        for (int64_t i = 0; i < counts[b]; i++) {
            *indices++ = b;
            *indices++ = i;
        }
    }
    if (n) memcpy(values, labels, (size_t)n * sizeof *values);
    shape[0] = batch;
    shape[1] = longest;
    return TFOPT_OK;
}

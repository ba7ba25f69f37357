#include "file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Compiled tables of some millions of names are smaller. */
enum { FILE_LEN_MAX = 1 << 30, FILE_LEN_FIRST = 1 << 14 };

bool file_read(const char *path, struct file *file)
{
    *file = (struct file){NULL, 0};
    FILE *stream = fopen(path, "rbe");
    size_t capacity = 0;
    bool whole = false;
    while (stream != NULL && !whole && capacity < FILE_LEN_MAX) {
        capacity = capacity == 0 ? FILE_LEN_FIRST : 2 * capacity;
        uint8_t *larger = realloc(file->data, capacity);
        if (larger == NULL) {
            break;
        }
        file->data = larger;
        file->len += fread(file->data + file->len, 1, capacity - file->len, stream);
        if (ferror(stream)) {
            break;
        }
        whole = feof(stream) != 0;
    }
    if (stream != NULL) {
        fclose(stream);
    }
    if (!whole) {
        file_free(file);
    }
    return whole;
}

void file_free(struct file *file)
{
    free(file->data);
    *file = (struct file){NULL, 0};
}

static const uint8_t *find(const uint8_t *data, size_t len, const char *text)
{
    size_t text_len = strlen(text);
    for (size_t i = 0; i + text_len <= len; i++) {
        if (memcmp(data + i, text, text_len) == 0) {
            return data + i;
        }
    }
    return NULL;
}

/* Returns the value of a Base64 digit (RFC 4648 §4), or -1. */
static int digit(uint8_t octet)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *place = octet != '\0' ? strchr(digits, octet) : NULL;
    return place != NULL ? (int)(place - digits) : -1;
}

bool file_first_certificate(struct file *file, coalesce_bytes *der)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    const uint8_t *start = find(file->data, file->len, begin);
    *der = (coalesce_bytes){file->data, file->len};
    if (start == NULL) {
        return file->len != 0;
    }
    start += sizeof begin - 1;
    size_t rest = (size_t)(file->data + file->len - start);
    const uint8_t *end = find(start, rest, "-----END CERTIFICATE-----");
    size_t len = 0;
    uint32_t bits = 0;
    int count = 0;
    for (; end != NULL && start < end; start++) {
        int value = digit(*start);
        if (value < 0) {
            if (strchr("\r\n\t =", *start) == NULL) {
                return false;
            }
            continue;
        }
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            /* Four digits make three octets, so the write position stays behind the read one. */
            file->data[len++] = (uint8_t)(bits >> count);
        }
    }
    *der = (coalesce_bytes){file->data, len};
    return len != 0;
}

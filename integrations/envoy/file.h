/* Files that a configuration names. */
#ifndef COALESCE_ENVOY_FILE_H
#define COALESCE_ENVOY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <coalesce.h>

struct file {
    uint8_t *data;
    size_t len;
};

/* Reads a whole file. Returns false if it is not there, or too large. */
bool file_read(const char *path, struct file *file);
void file_free(struct file *file);

/* Finds the first certificate of a file: the whole file as DER, or the first block of PEM, which is
 * decoded in place. The result borrows from the file. */
bool file_first_certificate(struct file *file, coalesce_bytes *der);

#endif

/*
 * The real toolstack and domain_config.c on a libxl in memory (libxl_fake.h), for the tests of it. Each test begins
 * with setup() and ends with teardown(); "work" is its guest, and domain 7 what runs.
 */
#ifndef TOOLSTACK_RIG_H
#define TOOLSTACK_RIG_H

#include "guest_config.h"
#include "libxl_fake.h"
#include "toolstack.h"

extern struct toolstack *toolstack;
extern char *folder, *kernel, *image; /* a folder of the test's, a kernel and a disk's image in it */
extern const char *loop_image;        /* what was last made a loop device */
extern gboolean loop_read_only;

/* What note_end() was told last, and how often it was. */
extern struct ended {
    int domid;
    enum toolstack_end end;
    unsigned count;
} ended;
void note_end(int domid, enum toolstack_end end, gpointer user);

void setup(void);
void teardown(void);
char *make_file(const char *name, const char *text); /* its path */
/* A definition with this disk; NULL: none. */
struct guest_config *config(enum guest_type type, const char *disk);

void take_result(GObject *source, GAsyncResult *result, gpointer user);
GAsyncResult *wait_for(GAsyncResult **result);
/* The error's sentence, or NULL; freed by the caller. create() frees the definition. */
char *create(struct guest_config *wanted, int *domid);
char *operate(enum toolstack_operation operation);
/* That a sentence says this, and what to do; frees it. */
void expect(char *sentence, const char *part);

gboolean was_killed(void); /* the device model */
unsigned open_descriptors(void);

#endif

/* A directory of a test's own, and files in it. */
#ifndef RH_TEST_DIRECTORY_H
#define RH_TEST_DIRECTORY_H

#include <glib/gstdio.h>

struct directory {
    char *path;
};

static inline void directory_setup(struct directory *directory, gconstpointer data)
{
    (void)data;
    directory->path = g_dir_make_tmp("roundhouse-guests-XXXXXX", NULL);
    g_assert_nonnull(directory->path);
}

static inline void directory_teardown(struct directory *directory, gconstpointer data)
{
    g_autoptr(GDir) dir = g_dir_open(directory->path, 0, NULL);
    (void)data;
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(directory->path, name, NULL);
        g_remove(path);
    }
    g_rmdir(directory->path);
    g_free(directory->path);
}

static inline char *write_file(struct directory *directory, const char *name, const char *text)
{
    char *path = g_build_filename(directory->path, name, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    return path;
}

#define ADD_WITH_DIRECTORY(name, function)                                                                             \
    g_test_add(name, struct directory, NULL, directory_setup, function, directory_teardown)

#endif
